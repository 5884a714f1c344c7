# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recipes: defaults, files, overrides, and what they refuse."""

from pathlib import Path

import pytest

from tte_mlir.errors import TTEError
from tte_mlir.recipe import Recipe


def test_file_and_overrides(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text("learning_rate: 0.5\nupdate: last:2\ninput: {scale: 0.25}\n")
    recipe = Recipe.read(path).override({"update": "bias", "input.offset": -1.0})
    assert (recipe.learning_rate, recipe.update) == (0.5, "bias")
    assert (recipe.input.scale, recipe.input.offset) == (0.25, -1.0)
    assert recipe.loss == "softmax_cross_entropy"
    recipe.write(path)
    assert Recipe.read(path) == recipe


def test_schemes_are_found_from_where_the_recipe_lies(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text("update: some.yaml\n")
    assert Recipe.read(path).update == str(tmp_path / "some.yaml")


def test_empty_file_is_the_default(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text("")
    assert Recipe.read(path) == Recipe()


def test_pixels_are_in_0_to_1_by_default():
    assert Recipe().input.scale * 255 + Recipe().input.offset == 1


@pytest.mark.parametrize(
    ("schedule", "first", "middle", "last"),
    [("constant", 0.5, 0.5, 0.5), ("linear", 0.5, 0.25, 0.005), ("cosine", 0.5, 0.25, 0.00012336)],
)
def test_schedules(schedule: str, first: float, middle: float, last: float):
    recipe = Recipe(learning_rate=0.5, schedule=schedule)
    rates = [recipe.rate(step, 100) for step in (0, 50, 99)]
    assert rates == pytest.approx([first, middle, last], rel=1e-3)


def test_warm_up_rises_and_the_schedule_takes_the_rest():
    recipe = Recipe(learning_rate=0.5, schedule="linear", warmup=4)
    rates = [recipe.rate(step, 12) for step in (0, 1, 3, 4, 8, 12, 99)]
    assert rates == pytest.approx([0.125, 0.25, 0.5, 0.5, 0.25, 0, 0])


REFUSALS = {
    "learning_rat: 1": r"unknown recipe key 'learning_rat': did you mean 'learning_rate'\?",
    "input: {scal: 1}": r"unknown recipe key 'input.scal': did you mean 'scale'\?",
    "zzz: 1": r"unknown recipe key 'zzz': did you mean '\w+'\?",
    "learning_rate: .nan": r"recipe key 'learning_rate': .*found nan",
    "learning_rate: -1": r"recipe key 'learning_rate': .*greater than 0, found -1",
    "learning_rate: fast": r"recipe key 'learning_rate': .*found 'fast'",
    "loss: hinge": r"recipe key 'loss': .*'softmax_cross_entropy'.*found 'hinge'",
    "batch: 0": r"recipe key 'batch': .*found 0",
    "momentum: 1": r"recipe key 'momentum': .*less than 1, found 1",
    "residual_bits: 9": r"recipe key 'residual_bits': .*less than or equal to 8, found 9",
    "bias_multiplier: 0": r"recipe key 'bias_multiplier': .*greater than 0, found 0",
    "warmup: -1": r"recipe key 'warmup': .*found -1",
    "rounding: down": r"recipe key 'rounding': .*'residual'.*found 'down'",
    "seed: -1": r"recipe key 'seed': .*found -1",
    "- a list": r"recipe.yaml: expected a mapping of keys to values",
    "a: [": r"recipe.yaml: not YAML",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_one_line(tmp_path: Path, text: str):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(TTEError, match=REFUSALS[text]) as caught:
        Recipe.read(path)
    assert "\n" not in str(caught.value)


def test_documentation_has_every_key():
    text = (Path(__file__).parents[2] / "docs/recipe.md").read_text()
    assert [key for key in Recipe.model_fields if f"| `{key}` |" not in text] == []


def test_python_gets_the_same_errors():
    with pytest.raises(TTEError, match="unknown recipe key 'rate'"):
        Recipe(rate=1)


def test_absent_file(tmp_path: Path):
    with pytest.raises(TTEError, match="none.yaml: No such file"):
        Recipe.read(tmp_path / "none.yaml")
