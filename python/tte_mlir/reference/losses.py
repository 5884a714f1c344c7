# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Semantics of the losses, in f64."""

from __future__ import annotations

import numpy as np

from ..dialects import tte
from .interpreter import Frame
from .registry import InterpreterError, semantics


@semantics(tte.OneHotOp)
def one_hot(op: tte.OneHotOp, frame: Frame) -> np.ndarray:
    classes = op.result.type.shape[1]
    return (frame[op.labels][:, None] == np.arange(classes)).astype(np.float64)


@semantics(tte.SoftmaxCrossEntropyOp)
def softmax_cross_entropy(op: tte.SoftmaxCrossEntropyOp, frame: Frame) -> np.ndarray:
    scores, labels = _scores_and_labels(op, frame)
    largest = scores.max(axis=1)
    log_sum = np.log(np.exp(scores - largest[:, None]).sum(axis=1)) + largest
    return np.mean(log_sum - scores[np.arange(len(labels)), labels])


@semantics(tte.SoftmaxCrossEntropyGradOp)
def softmax_cross_entropy_grad(op: tte.SoftmaxCrossEntropyGradOp, frame: Frame) -> np.ndarray:
    scores, labels = _scores_and_labels(op, frame)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    result = powers / powers.sum(axis=1, keepdims=True)
    result[np.arange(len(labels)), labels] -= 1
    return result / len(labels)


@semantics(tte.MeanSquaredErrorOp)
def mean_squared_error(op: tte.MeanSquaredErrorOp, frame: Frame) -> np.ndarray:
    return np.mean(_difference(op, frame) ** 2)


@semantics(tte.MeanSquaredErrorGradOp)
def mean_squared_error_grad(op: tte.MeanSquaredErrorGradOp, frame: Frame) -> np.ndarray:
    difference = _difference(op, frame)
    return 2 * difference / difference.size


def _difference(op, frame: Frame) -> np.ndarray:
    return frame[op.prediction].astype(np.float64) - frame[op.target]


def _scores_and_labels(op, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = frame[op.scores].astype(np.float64), frame[op.labels]
    classes = scores.shape[1]
    if np.any((labels < 0) | (labels >= classes)):
        raise InterpreterError(f"labels must lie in [0, {classes}), found {labels.tolist()}")
    return scores, labels
