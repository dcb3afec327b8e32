"""Which types a stored model may hold, and the two ways through that gate."""

from pathlib import Path

import skops.io
from sklearn.pipeline import Pipeline

from model_training.errors import TrainingError

# Types that skops does not trust by itself, reviewed one by one: none runs code that the file chooses.
# A forged tree can still crash the process that predicts, so the registry's writers are trusted.
TRUSTED_TYPES = (
    "numpy.dtype",  # SimpleImputer remembers the type of its columns
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",  # arrays of tree nodes
    "sklearn.tree._tree.Tree",  # the nodes of a decision tree
)


def check_types(pipeline: Pipeline) -> list[str]:
    """The types that skops does not trust by itself; raise TrainingError naming those not reviewed."""
    types = skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))
    refused = [name for name in types if name not in TRUSTED_TYPES]
    if refused:
        raise TrainingError(
            f"The model holds types that model_training/trust.py does not list: {', '.join(refused)}; "
            "review and add them there and in the server that loads the model, or choose another pipeline."
        )
    return types


def load_pipeline(path: Path) -> Pipeline:
    """Load a stored pipeline with the reviewed types only; raise what skops raises otherwise."""
    return skops.io.load(path, trusted=list(TRUSTED_TYPES))
