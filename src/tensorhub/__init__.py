"""TensorHub: one store for every tensor a model ever becomes.

Duty: the public names. Everything that is not listed in ``__all__`` may change without notice.
"""

from importlib.metadata import version as _version

from tensorhub.codecs.mode import Mode
from tensorhub.errors import TensorHubError
from tensorhub.schema.digest import Digest
from tensorhub.schema.dtype import DType
from tensorhub.schema.names import RefName, RepositoryId, RepoType, parse_repository
from tensorhub.schema.records import FileMode
from tensorhub.schema.tensor import TensorSpec
from tensorhub.store.add import add_files, add_folder
from tensorhub.store.gc import collect_garbage
from tensorhub.store.import_cache import add_hf_cache
from tensorhub.store.layout import default_store_path
from tensorhub.store.optimize import optimize
from tensorhub.store.predict import Predictor, predict_files, predict_folder
from tensorhub.store.progress import Progress
from tensorhub.store.rebuild import rebuild_catalog
from tensorhub.store.relations import similar, trace_lineage
from tensorhub.store.restore import restore
from tensorhub.store.store import Store
from tensorhub.store.totals import stats
from tensorhub.store.transaction import CommitTransaction
from tensorhub.store.values import (
    AddResult,
    CommitInfo,
    Damage,
    FileInfo,
    GcReport,
    LineageEdge,
    LineageReport,
    OptimizeReport,
    Prediction,
    RefInfo,
    RemoveResult,
    RepositoryInfo,
    RestoreResult,
    Saved,
    SimilarTensor,
    Stats,
    TensorInfo,
    VerifyReport,
    to_json,
)
from tensorhub.store.verify import verify

__version__ = _version("tensorhub")

__all__ = [
    "AddResult",
    "CommitInfo",
    "CommitTransaction",
    "DType",
    "Damage",
    "Digest",
    "FileInfo",
    "FileMode",
    "GcReport",
    "LineageEdge",
    "LineageReport",
    "Mode",
    "OptimizeReport",
    "Prediction",
    "Predictor",
    "Progress",
    "RefInfo",
    "RefName",
    "RemoveResult",
    "RepoType",
    "RepositoryId",
    "RepositoryInfo",
    "RestoreResult",
    "Saved",
    "SimilarTensor",
    "Stats",
    "Store",
    "TensorHubError",
    "TensorInfo",
    "TensorSpec",
    "VerifyReport",
    "__version__",
    "add_files",
    "add_folder",
    "add_hf_cache",
    "collect_garbage",
    "default_store_path",
    "optimize",
    "parse_repository",
    "predict_files",
    "predict_folder",
    "rebuild_catalog",
    "restore",
    "similar",
    "stats",
    "to_json",
    "trace_lineage",
    "verify",
]
