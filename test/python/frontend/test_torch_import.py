# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imported networks, run by the numpy interpreter, against PyTorch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mlir import ir

from tte_mlir.errors import TTEError
from tte_mlir.reference import Interpreter

torch = pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
pytest.importorskip("torch_mlir", reason="torch-mlir is not installed (extra [torch])")
nn, F = torch.nn, torch.nn.functional

from tte_mlir.frontend.torch_import import import_torch  # noqa: E402

EXAMPLE = Path(__file__).parents[3] / "examples" / "mobilenet_v2"


class Function(nn.Module):
    """A module of one expression."""

    def __init__(self, function, **modules: nn.Module):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.function(self, x)


def randomize(model: nn.Module, seed: int) -> nn.Module:
    """Weights, and statistics of batch norms, that no two channels share."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if value.is_floating_point():
                value.normal_(generator=generator)
                if name.endswith("var"):
                    value.abs_().add_(0.5)
    return model.eval()


def run(model, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray, ir.Module]:
    """What the imported function and PyTorch say about one random input, both in torch's order."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    module = import_torch(model, shape, ir.Context())
    stored = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
    (found,) = Interpreter(module, real=np.float64).run("forward", stored.numpy())
    program = model.module() if isinstance(model, torch.export.ExportedProgram) else model
    with torch.no_grad():
        expected = program(x).numpy()
    return found.transpose(0, 3, 1, 2) if found.ndim == 4 else found, expected, module


def check(model, shape: tuple[int, ...], seed: int = 0) -> str:
    found, expected, module = run(model, shape, seed)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    return module.operation.get_asm(large_elements_limit=8)


LAYERS = {
    "conv": nn.Conv2d(3, 5, 3),
    "conv without bias": nn.Conv2d(3, 5, 3, bias=False),
    "conv strided and padded": nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2)),
    "conv dilated": nn.Conv2d(3, 4, 3, dilation=(2, 1), padding=2),
    "conv grouped": nn.Conv2d(6, 4, 3, groups=2),
    "conv depthwise": nn.Conv2d(6, 6, 3, groups=6, padding=1),
    "conv depthwise with multiplier": nn.Conv2d(3, 6, 3, groups=3),
    "conv same": nn.Conv2d(3, 4, (2, 3), padding="same"),
    "conv valid": nn.Conv2d(3, 4, 3, padding="valid"),
    "batch norm": nn.BatchNorm2d(5),
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "relu in place": nn.ReLU(inplace=True),
    "hardtanh": nn.Hardtanh(-0.5, 0.25),
    "average pool": nn.AvgPool2d(2),
    "average pool overlapping": nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
    "average pool ceiling": nn.AvgPool2d(3, stride=2, ceil_mode=True),
    "max pool": nn.MaxPool2d((2, 3)),
    "max pool overlapping": nn.MaxPool2d(3, stride=2, padding=1),
    "max pool ceiling": nn.MaxPool2d(2, ceil_mode=True),
    "global pool": nn.AdaptiveAvgPool2d(1),
    "adaptive pool": nn.AdaptiveAvgPool2d((2, None)),
    "flatten": nn.Flatten(),
    "unflatten": nn.Unflatten(2, (2, 4)),
    "dropout": nn.Dropout(0.5),
    "dropout of channels": nn.Dropout2d(0.5),
    "identity": nn.Identity(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str):
    layer = randomize(LAYERS[name], seed=1)
    channels = getattr(layer, "in_channels", None) or getattr(layer, "num_features", 4)
    shape = (1, channels, 8, 7) if name != "average pool ceiling" else (1, channels, 8, 6)
    check(nn.Sequential(layer), shape)


EXPRESSIONS = {
    "clamp": lambda m, x: torch.clamp(x, -0.5, 0.5),
    "clamp below": lambda m, x: torch.clamp(x, min=0.1),
    "clamp above": lambda m, x: x.clamp_max(0.1),
    "add": lambda m, x: x + F.relu(x),
    "add in place": lambda m, x: F.relu(x).add_(x),
    "mean": lambda m, x: x.mean((2, 3)),
    "mean kept": lambda m, x: x.mean((-1, -2), keepdim=True),
    "mean of one dimension": lambda m, x: x.mean(3, keepdim=True),
    "slice": lambda m, x: x[:, 1:3, :, 2:],
    "narrow": lambda m, x: x.narrow(2, 1, 3),
    "slice from the end": lambda m, x: x[:, -2:, :-1],
    "view": lambda m, x: x.view(1, 2, -1),
    "view as a map": lambda m, x: x.view(1, 8, 4, 6),
    "slice of flat": lambda m, x: x.flatten(1)[:, 5:50],
    "add of flat": lambda m, x: x.flatten(1) + x.permute(0, 2, 3, 1).reshape(1, -1),
    "permute": lambda m, x: x.permute(0, 3, 1, 2),
    "transpose": lambda m, x: x.transpose(2, 3),
    "squeeze": lambda m, x: F.adaptive_avg_pool2d(x, 1).squeeze(3).squeeze(2),
    "unsqueeze": lambda m, x: x.mean((2, 3)).unsqueeze(-1).unsqueeze(-1),
    "channel shuffle": lambda m, x: x.view(1, 2, 2, 8, 6).transpose(1, 2).reshape(1, 4, 8, 6),
    "in place then reused": lambda m, x: F.relu_(x.clone()) + x,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expression(name: str):
    check(Function(EXPRESSIONS[name]), (1, 4, 8, 6))


def test_linear_takes_a_flattened_map_without_permuting_it():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Dropout(), nn.Linear(4 * 36, 7))
    text = check(randomize(model, seed=2), (1, 3, 8, 8))
    assert "tte.permute" not in text
    assert "tensor<144x7xf32>" in text


def test_batch_norm_folds_into_the_layer():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
        nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Linear(8 * 16, 6), nn.BatchNorm1d(6, affine=False),
    )  # fmt: skip
    text = check(randomize(model, seed=3), (1, 3, 8, 8))
    assert text.count("tte.conv2d") == 2
    assert text.count("tte.clamp") == 2
    assert '@"0.bias"' in text or "@0.bias" in text


def test_batch_norm_does_not_fold_into_a_layer_that_others_read():
    def forward(m, x):
        y = m.conv(x)
        return y + m.norm(y)

    model = Function(forward, conv=nn.Conv2d(3, 4, 1), norm=nn.BatchNorm2d(4))
    check(randomize(model, seed=4), (1, 3, 5, 5))


def test_a_layer_used_twice_has_one_parameter():
    model = Function(lambda m, x: m.conv(F.relu(m.conv(x))), conv=nn.Conv2d(3, 3, 3, padding=1))
    text = check(randomize(model, seed=6), (1, 3, 5, 5))
    assert text.count("ml_program.global private") == 2
    assert text.count("ml_program.global_load_const") == 2


def test_names_and_locations_are_those_of_the_modules():
    features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model = nn.Sequential(features, nn.Flatten(), nn.Linear(4, 2))
    module = import_torch(model, (1, 3, 3, 3), ir.Context())
    names = [op.attributes["sym_name"].value for op in module.body.operations]
    assert names == ["0.0.weight", "0.0.bias", "2.weight", "2.bias", "forward"]
    text = module.operation.get_asm(enable_debug_info=True)
    assert 'loc("0.0")' in text
    assert 'loc("2")' in text
    assert "tte.role = #tte.role<input>" in text


def test_the_model_itself_is_left_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    import_torch(model, (1, 3, 5, 5), ir.Context())
    assert model.training
    assert model[2].inplace
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_exported_program(tmp_path: Path):
    activation = nn.ReLU(inplace=True)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), activation, nn.Flatten())
    program = torch.export.export(randomize(model, seed=7), (torch.zeros(1, 3, 6, 6),))
    torch.export.save(program, tmp_path / "net.pt2")
    check(torch.export.load(tmp_path / "net.pt2"), (1, 3, 6, 6))


def test_mobilenet_v2():
    spec = importlib.util.spec_from_file_location("mobilenet_v2_model", EXAMPLE / "model.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    text = check(example.pretrained_model(), (1, *example.INPUT_SHAPE))
    counts = {op: text.count(f"tte.{op} ") for op in ("conv2d", "add", "avg_pool2d", "dense")}
    assert counts == {"conv2d": 52, "add": 10, "avg_pool2d": 1, "dense": 1}
    assert text.count("<0.0, 6.0>") == 35


class DataDependent(nn.Module):
    def forward(self, x):
        return x + 1 if x.sum() > 0 else x


class Concatenation(nn.Module):
    def forward(self, x):
        return torch.cat([x, x], 1)


class Two(nn.Module):
    def forward(self, x):
        return x, x


class Wrong(nn.Module):
    def forward(self, x):
        return x.view(1, 7)


REFUSALS = {
    "activation": (nn.Sigmoid(), r"^1: operator aten\.sigmoid is not supported$"),
    "operator": (Concatenation(), r"^1: operator aten\.cat is not supported$"),
    "data-dependent": (DataDependent(), r"^1: control flow that depends on data"),
    "own error": (Wrong(), r"^1: cannot be traced: RuntimeError: .*shape"),
    "outputs": (Two(), r"1 inputs and 2 outputs, expected one of each"),
    "scalar": (Function(lambda m, x: x + 1.5), r"^1: operator aten\.add\.\w+ "),
    "broadcast": (Function(lambda m, x: x + x.mean(3, keepdim=True)), r"^1: .* of shapes"),
    "counted padding": (nn.AvgPool2d(3, padding=1), r"^1: aten\.avg_pool2d counts padding"),
    "dilated pool": (nn.MaxPool2d(2, dilation=2), r"^1: .*dilation"),
    "uneven pool": (nn.AdaptiveAvgPool2d(3), r"^1: aten\.adaptive_avg_pool2d from"),
    "step": (Function(lambda m, x: x[:, ::2]), r"^1: .*step 2"),
    "mean of channels": (Function(lambda m, x: x.mean(1)), r"^1: aten\.mean\.dim of dim"),
    "linear over rows": (nn.Linear(8, 2), r"^1: aten\.linear takes an input of shape"),
    "reflecting": (
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        r"^1: operator aten\.pad",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_names_the_module_and_the_operator(name: str):
    layer, message = REFUSALS[name]
    with pytest.raises(TTEError, match=message) as caught:
        import_torch(nn.Sequential(nn.ReLU(), layer), (1, 4, 8, 8), ir.Context())
    assert "\n" not in str(caught.value)


def test_dynamic_shape_is_refused():
    batch = torch.export.Dim("height", min=4, max=32)
    program = torch.export.export(
        nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),), dynamic_shapes=({2: batch},)
    )
    with pytest.raises(TTEError, match="input has the dynamic shape"):
        import_torch(program, None, ir.Context())


def test_training_mode_is_refused():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    program = torch.export.export(model, (torch.zeros(1, 3, 8, 8),))
    with pytest.raises(TTEError, match=r"^\w*1?: "):
        import_torch(program, None, ir.Context())


def test_batch_of_two_is_refused():
    with pytest.raises(TTEError, match=r"shape \(2, 3, 8, 8\), expected a batch of 1"):
        import_torch(nn.Conv2d(3, 4, 3), (2, 3, 8, 8), ir.Context())


def test_conflicting_use_of_a_layer_is_refused():
    model = Function(
        lambda m, x: m.b(m.conv(m.a(m.conv(x)))),
        conv=nn.Conv2d(3, 3, 1), a=nn.BatchNorm2d(3), b=nn.BatchNorm2d(3),
    )  # fmt: skip
    with pytest.raises(TTEError, match=r"conv\.weight: is used by several layers"):
        import_torch(randomize(model, seed=8), (1, 3, 4, 4), ir.Context())
