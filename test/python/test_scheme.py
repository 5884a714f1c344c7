# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files of update schemes: what they say, and what they refuse."""

from fractions import Fraction
from pathlib import Path

import pytest

from tte_mlir.errors import TTEError
from tte_mlir.scheme import LayerUpdate, Scheme


def read(directory: Path, text: str) -> Scheme:
    path = directory / "scheme.yaml"
    path.write_text(text)
    return Scheme.read(path)


def test_forms_of_a_layer(tmp_path: Path):
    scheme = read(
        tmp_path,
        """
        biases: 3
        channels: norm
        layers:
          24: 1/4
          a.b: {weight: 0.5, bias: false}
          c: {channels: [4, 2]}
          d: {bias: true}
          e: 1
        """,
    )
    assert (scheme.biases, scheme.channels, scheme.classifier) == (3, "norm", True)
    assert scheme.layers == {
        24: LayerUpdate(weight=Fraction(1, 4)),
        "a.b": LayerUpdate(weight=Fraction(1, 2), bias=False),
        "c": LayerUpdate(channels=(4, 2)),
        "d": LayerUpdate(bias=True),
        "e": LayerUpdate(weight=Fraction(1)),
    }


def test_an_empty_file_trains_the_classifier(tmp_path: Path):
    assert read(tmp_path, "") == Scheme(biases=0, classifier=True, channels="first", layers={})


RATIO = "expected a ratio above 0 and at most 1, as 1/4 or 0.25"
REFUSALS = {
    "layers: {a.b: 1.5}": rf"layer 'a.b': weight is 1.5, {RATIO}",
    "layers: {a.b: 0}": rf"layer 'a.b': weight is 0, {RATIO}",
    "layers: {a.b: -1/4}": rf"layer 'a.b': weight is '-1/4', {RATIO}",
    "layers: {a.b: 1/0}": rf"layer 'a.b': weight is '1/0', {RATIO}",
    "layers: {a.b: .nan}": rf"layer 'a.b': weight is nan, {RATIO}",
    "layers: {a.b: half}": rf"layer 'a.b': weight is 'half', {RATIO}",
    "layers: {a.b: }": rf"layer 'a.b': weight is None, {RATIO}",
    "layers: {24: {weight: 2}}": rf"layer '24': weight is 2, {RATIO}",
    "layers: {a.b: {wieght: 1}}": r"layer 'a.b': unknown key 'wieght': did you mean 'weight'",
    "layers: {a.b: {bias: 1/4}}": r"layer 'a.b': bias: .*boolean, found '1/4'",
    "layers: {a.b: {channels: last}}": r"layer 'a.b': channels is 'last', expected first, norm or",
    "layers: {a.b: {channels: []}}": r"layer 'a.b': channels is \[\], expected first, norm or a",
    "layers: {a.b: {channels: [1, 1]}}": r"layer .a.b.: channels is \[1, 1\], .* different",
    "layers: {a.b: {channels: [-1]}}": r"layer 'a.b': channels is \[-1\], expected",
    "layers: {a.b: {weight: 1/2, channels: [1]}}": r"layer 'a.b': a list of channels needs",
    "layers: {a.b: {channels: norm}}": r"layer 'a.b': channels are those of a weight",
    "layers: {1.5: 1}": r"layers names '1.5', expected the path or the index of a layer",
    "layers: [a.b]": r"layers: .* dictionary, found \['a.b'\]",
    "biases: -1": r"biases is -1, expected a number of layers before the classifier, or all",
    "biases: some": r"biases is 'some', expected a number of layers before the classifier, or all",
    "channels: [1]": r"channels: .*'first' or 'norm', found \[1\]",
    "classifier: 1/2": r"classifier: .*boolean, found '1/2'",
    "bias: 3": r"unknown key 'bias': did you mean 'biases'",
    "- 3": r"expected a mapping of keys to values",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_one_line(tmp_path: Path, text: str):
    with pytest.raises(TTEError, match=rf"scheme.yaml: {REFUSALS[text]}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_absent_file(tmp_path: Path):
    with pytest.raises(TTEError, match="none.yaml: No such file"):
        Scheme.read(tmp_path / "none.yaml")
