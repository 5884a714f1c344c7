# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data sets in .npz files, and everything that can be wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from tte_mlir.errors import TTEError
from tte_mlir.frontend import data

IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
LABELS = np.array([0, 2])


def write(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def test_images_are_given_channels_last(tmp_path: Path):
    dataset = data.load(write(tmp_path, x=IMAGES, y=LABELS))
    assert dataset.nhwc(1).shape == (4, 5, 3)
    assert dataset.nhwc(1)[2, 4, 1] == IMAGES[1, 1, 2, 4]
    assert dataset.labels.tolist() == [0, 2]


def test_pixels_are_scaled_and_reals_are_not(tmp_path: Path):
    pixels = data.load(write(tmp_path, x=IMAGES, y=LABELS))
    np.testing.assert_allclose(pixels.real(0, 0.5, -3)[0, 1, 2, 0], IMAGES[0, 0, 1, 2] * 0.5 - 3)
    reals = data.load(write(tmp_path, x=IMAGES.astype(np.float64) / 7, y=LABELS))
    np.testing.assert_allclose(
        reals.real(0, 0.5, -3)[0, 1, 2, 0], IMAGES[0, 0, 1, 2] / 7, rtol=1e-6
    )


def test_calibration_needs_no_labels(tmp_path: Path):
    assert data.load(write(tmp_path, x=IMAGES), labelled=False).labels is None


REALS = IMAGES.astype(np.float32)
NOT_A_NUMBER = np.where(np.arange(REALS.size).reshape(REALS.shape) == 70, np.nan, REALS)
REFUSALS = {
    "no images": ({"y": LABELS}, r"has no array 'x', found \['y'\]"),
    "no labels": ({"x": IMAGES}, r"has no array 'y', found \['x'\]"),
    "rank": ({"x": IMAGES[0], "y": LABELS}, r"x has shape \(3, 4, 5\), expected \(images"),
    "empty": ({"x": IMAGES[:0], "y": LABELS[:0]}, r"x has shape \(0, 3, 4, 5\)"),
    "type": ({"x": IMAGES.astype(np.int64), "y": LABELS}, r"x has type int64, expected uint8 or"),
    "NaN": ({"x": NOT_A_NUMBER, "y": LABELS}, r"image 1 holds NaN or infinity"),
    "count": ({"x": IMAGES, "y": LABELS[:1]}, r"y has shape \(1,\), expected \(2,\)"),
    "label type": ({"x": IMAGES, "y": LABELS / 2}, r"y has type float64, expected integers"),
    "pickle": ({"x": np.array([{}]), "y": LABELS}, r"not an \.npz file, or truncated"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_one_line(tmp_path: Path, name: str):
    arrays, message = REFUSALS[name]
    with pytest.raises(TTEError, match=message) as caught:
        data.load(write(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.98])
def test_truncated_files_are_refused(tmp_path: Path, share: float):
    path = write(tmp_path, x=IMAGES, y=LABELS)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TTEError, match="truncated"):
        data.load(path)


def test_absent_file_is_refused(tmp_path: Path):
    with pytest.raises(TTEError, match=r"none\.npz: no such file"):
        data.load(tmp_path / "none.npz")


def test_images_of_another_shape_are_refused():
    dataset = data.check(IMAGES, LABELS, "set")
    data.check_network(dataset, (1, 4, 5, 3), 3, "set")
    with pytest.raises(TTEError, match=r"set: images have shape \(3, 4, 5\).* takes \(3, 5, 5\)"):
        data.check_network(dataset, (1, 5, 5, 3), 3, "set")


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_out_of_range_are_refused(label: int):
    dataset = data.check(IMAGES, np.array([0, label]), "set")
    with pytest.raises(TTEError, match=rf"label {label} of image 1 is out of range, .* 0 to 1"):
        data.check_network(dataset, (1, 4, 5, 3), 2, "set")
