"""Ids are stable, names are found, unknown ones are named clearly."""

import pytest

from tensorhub.codecs import registry
from tensorhub.errors import UnknownCodecError, UnsupportedVersionError


def test_ids_on_disk_never_change():
    assert [(c.codec_id, c.version, c.name, c.needs_prediction) for c in registry.CODECS] == [
        (0, 1, "raw", False),
        (1, 1, "zstd", False),
        (2, 1, "planes_zstd", False),
        (3, 1, "xor_planes_zstd", True),
        (4, 1, "planes", False),
        (5, 1, "joint", False),
        (6, 1, "ulp_delta", True),
        (7, 1, "ulp_delta_fast", True),
    ]
    assert [(p.predictor_id, p.version, p.name, p.source_count) for p in registry.PREDICTORS] == [
        (0, 1, "none", 0),
        (1, 1, "base", 1),
    ]


def test_look_up():
    for codec in registry.CODECS:
        assert registry.codec_by_name(codec.name) is codec
        assert registry.codec_for_record(codec.codec_id, 1) is codec
        assert codec.name in registry.__doc__
    for predictor in registry.PREDICTORS:
        assert registry.predictor_by_name(predictor.name) is predictor
        assert registry.predictor_for_record(predictor.predictor_id, 1) is predictor
        assert predictor.name in registry.__doc__


def test_unknown_names_list_the_known():
    with pytest.raises(UnknownCodecError, match="planes, planes_zstd, raw"):
        registry.codec_by_name("lzma")
    with pytest.raises(UnknownCodecError, match="base, none"):
        registry.predictor_by_name("oracle")


@pytest.mark.parametrize(("number", "version"), [(99, 1), (1, 2), (1, 0)])
def test_unknown_ids_in_records_mean_a_newer_writer(number, version):
    for look_up in (registry.codec_for_record, registry.predictor_for_record):
        with pytest.raises(UnsupportedVersionError, match="newer TensorHub"):
            look_up(number, version)
