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
