"""Every registered codec and predictor keeps the contract."""

from tensorhub.codecs import registry
from tensorhub.testing import PredictorSuite, ResidualCodecSuite


class TestRaw(ResidualCodecSuite):
    codec = registry.codec_by_name("raw")


class TestZstd(ResidualCodecSuite):
    codec = registry.codec_by_name("zstd")


class TestPlanesZstd(ResidualCodecSuite):
    codec = registry.codec_by_name("planes_zstd")


class TestXorPlanesZstd(ResidualCodecSuite):
    codec = registry.codec_by_name("xor_planes_zstd")


class TestPlanes(ResidualCodecSuite):
    codec = registry.codec_by_name("planes")
    hostile_nbytes = 600  # shorter floats do not get smaller


class TestJoint(ResidualCodecSuite):
    codec = registry.codec_by_name("joint")
    hostile_nbytes = 600  # shorter floats do not get smaller


class TestUlpDelta(ResidualCodecSuite):
    codec = registry.codec_by_name("ulp_delta")


class TestUlpDeltaFast(ResidualCodecSuite):
    codec = registry.codec_by_name("ulp_delta_fast")
    hostile_nbytes = 600  # the states alone take 128 bytes


class TestNone(PredictorSuite):
    predictor = registry.predictor_by_name("none")


class TestBase(PredictorSuite):
    predictor = registry.predictor_by_name("base")


def test_nothing_registered_is_left_out():
    suites = [value for value in globals().values() if isinstance(value, type)]
    codecs = {suite.codec for suite in suites if hasattr(suite, "codec")}
    predictors = {suite.predictor for suite in suites if hasattr(suite, "predictor")}
    assert codecs == set(registry.CODECS)
    assert predictors == set(registry.PREDICTORS)
