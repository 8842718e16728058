# The hub in a container: an ordinary user, the store at /var/lib/tensorhub, port 8088. See docs/hub.md.
ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ cmake ninja-build \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml CMakeLists.txt README.md LICENSE ./
COPY native ./native
COPY src ./src
RUN python -m venv /opt/tensorhub \
    && /opt/tensorhub/bin/pip install --no-cache-dir '.[hub]'

FROM ${PYTHON}
RUN useradd --system --uid 10001 --home-dir /var/lib/tensorhub --create-home --shell /usr/sbin/nologin tensorhub \
    && chmod 0700 /var/lib/tensorhub
COPY --from=build /opt/tensorhub /opt/tensorhub
ENV PATH=/opt/tensorhub/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TENSORHUB_STORE=/var/lib/tensorhub/store
USER tensorhub
WORKDIR /var/lib/tensorhub
VOLUME /var/lib/tensorhub
EXPOSE 8088
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8088/healthz', timeout=4)"]
ENTRYPOINT ["tensorhub"]
CMD ["serve", "--host", "0.0.0.0", "--log-format", "json"]
