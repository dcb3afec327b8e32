"""Training on this machine: `python -m model_training.local FOLDER` prints the figures and stores nothing."""

import argparse
import sys
from pathlib import Path
from typing import Any

from model_training.dataset import FILES, Dataset, read_dataset
from model_training.errors import TrainingError
from model_training.evaluation import Evaluation, evaluate
from model_training.params import Params
from model_training.pipelines import fit_pipeline
from model_training.search import Tried, find_params
from model_training.settings import PARAMS_FILE
from model_training.trust import check_types


def train_locally(folder: Path) -> str:
    """Fit params.yaml's pipeline on a folder's rows and return its figures as text."""
    params, dataset = Params.read(PARAMS_FILE), read_dataset(folder)
    params = find_params(params, dataset, _say).params
    pipeline = fit_pipeline(params, dataset.schema, dataset.train)
    check_types(pipeline)
    return _table(params, dataset, evaluate(pipeline, dataset.train), evaluate(pipeline, dataset.test))


def _say(tried: Tried) -> None:
    """One line a trial: a search may take minutes."""
    figure = "cannot be trained" if tried.macro_f1 is None else f"macro F1 {tried.macro_f1:.3f}"
    sys.stderr.write(f"trial {tried.number + 1}: {figure}  {_listed(tried.params)}\n")


def _listed(params: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items())


def main() -> int:
    """Print the figures, or the reason why there are none."""
    parser = argparse.ArgumentParser(prog="model_training.local", description=__doc__)
    parser.add_argument("folder", type=Path, help=f"a folder with {', '.join(FILES)}")
    try:
        text, code = train_locally(parser.parse_args().folder), 0
    except TrainingError as error:
        text, code = str(error), 1
    (sys.stderr if code else sys.stdout).write(text + "\n")
    return code


def _table(params: Params, dataset: Dataset, train: Evaluation, test: Evaluation) -> str:
    sizes = f"{len(dataset.train.labels)} training rows, {len(dataset.test.labels)} test rows"
    head = [f"{params.model}: {params.pipeline}, {sizes}"]
    if params.search:
        head.append(f"found: {_listed({name: v for name, v in params.flat().items() if '.' in name})}")
    lines = [*head, "", f"{'':<24}{'train':>8}{'test':>8}"]
    lines += [f"{name:<24}{train.metrics[name]:>8.3f}{test.metrics[name]:>8.3f}" for name in test.metrics]
    lines += ["", f"{'test, by class':<24}{'recall':>8}{'f1':>8}{'rows':>8}"]
    lines += [
        f"{name:<24}{row['recall']:>8.3f}{row['f1']:>8.3f}{row['support']:>8}"
        for name, row in test.per_class.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
