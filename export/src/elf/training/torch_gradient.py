"""Loss and gradient by torch: on a CPU with matrix units for bfloat16 (AMX) in less than half of XLA's time."""

import math
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from elf.config import ElfConfig, FlowConfig
from elf.errors import ConfigError
from elf.network.model import rotary_tables
from elf.network.modules import Params
from elf.network.parameters import TIMESTEP_FEATURES, parameter_shapes
from elf.progress import say
from elf.training.objective import Metrics, self_cond_rows
from elf.training.recipe import SHARED_OBJECTIVE, require
from elf.training.step_inputs import DecodeDraws, DenoiseDraws

if TYPE_CHECKING:
    from torch import Tensor

    from elf.training.train_config import TrainConfig

# XLA's CPU backend multiplies bfloat16 by those units only in some products of a training step; torch does in all. What
# is computed is what network/model.py and objective.py say, under their names, and a test holds the two to each other;
# draws, latents, optimizer, averages and checkpoints stay JAX's. It knows the `shared` objective, one coin for the
# batch.

TorchGradient = Callable[[Params, Any, bool], tuple[Metrics, Params]]
"""(weights, examples of one mean whose `counts` are their weights in the loss, whether they decode) → what is logged,
and the gradient."""


def make_torch_gradient(config: "TrainConfig") -> TorchGradient:
    """Raises ConfigError where torch is not installed, and for what it does not know."""
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            "gradient is torch, but torch is not installed",
            "Install torch's build for CPUs beside this package, or leave gradient out.",
        ) from error
    refuse_what_torch_does_not_know(config)

    elf, flow = config.elf, config.flow
    dtype = torch.bfloat16 if config.compute_dtype == "bfloat16" else torch.float32
    # Of its own: JAX takes the memory of its weights again with every update, and torch compiles for where they lie.
    held_weights = {name: torch.empty(shape).requires_grad_() for name, shape in parameter_shapes(elf).items()}

    def of_denoising(weights: "dict[str, Tensor]", *examples: "Tensor") -> "Tensor":
        return denoise_loss(TorchNetwork(elf, weights, dtype), flow, *examples)

    def of_decoding(weights: "dict[str, Tensor]", *examples: "Tensor") -> "Tensor":
        return decode_loss(TorchNetwork(elf, weights, dtype), flow, *examples)

    losses = {False: of_denoising, True: of_decoding}
    if shutil.which("g++") or shutil.which("clang++"):
        losses = {decodes: torch.compile(loss) for decodes, loss in losses.items()}
    else:
        say("torch finds no C++ compiler and runs uncompiled, which takes half as long again")

    def gradient(params: Params, examples: Any, decode: bool) -> tuple[Metrics, Params]:
        with torch.no_grad():
            for name, weight in held_weights.items():
                weight.copy_(as_tensor(params[name]))
        x, held, ids, weight, draws = examples
        inputs = [as_tensor(of) for of in (x, held, weight)]
        if decode:
            decoding: DecodeDraws = draws.decode
            inputs += [as_tensor(ids).long(), *(as_tensor(of) for of in decoding)]
        else:
            denoising: DenoiseDraws = draws.denoise
            inputs += [as_tensor(of) for of in (denoising.t, denoising.w, denoising.noise)]
        value = losses[decode](held_weights, *inputs)
        leaves = torch.autograd.grad(value, list(held_weights.values()), allow_unused=True)
        gradients = {
            name: jnp.zeros(weight.shape) if leaf is None else jnp.asarray(leaf.numpy())
            for (name, weight), leaf in zip(held_weights.items(), leaves, strict=True)
        }
        return {"decode_loss" if decode else "loss": jnp.asarray(value.item())}, gradients

    return gradient


def refuse_what_torch_does_not_know(config: "TrainConfig") -> None:
    require(config, {**SHARED_OBJECTIVE, "remat": "none", "scan_blocks": False, "fsdp": 1}, "gradient=torch")
    if jax.device_count() > 1 or jax.default_backend() != "cpu":
        raise ConfigError("gradient is torch, but the training has other devices than one CPU", "Leave gradient out.")


def as_tensor(array: jax.Array) -> "Tensor":
    """The numbers of a JAX array, in its memory."""
    import torch

    return torch.from_dlpack(array)


def take_rows(rows: "Tensor", a: int, b: int) -> "Tensor":
    """The first a of every b rows."""
    return rows.reshape(-1, b, *rows.shape[1:])[:, :a].reshape(-1, *rows.shape[1:])


def put_rows(rows: "Tensor", a: int, b: int) -> "Tensor":
    """The inverse of `take_rows`, zeros elsewhere."""
    import torch

    groups = rows.reshape(-1, a, *rows.shape[1:])
    nothing = torch.zeros(len(groups), b - a, *rows.shape[1:])
    return torch.cat([groups, nothing], 1).reshape(-1, *rows.shape[1:])


class TorchNetwork:
    """network/model.py's `ELF` on torch's tensors."""

    def __init__(self, config: ElfConfig, weights: "dict[str, Tensor]", dtype: Any):
        self.config = config
        self.weights = weights
        self.dtype = dtype

    def matmul(self, x: "Tensor", kernel: str) -> "Tensor":
        return (x.to(self.dtype) @ self.weights[kernel].to(self.dtype)).float()

    def dense(self, name: str, x: "Tensor") -> "Tensor":
        y = self.matmul(x, f"{name}/kernel")
        bias = self.weights.get(f"{name}/bias")
        return y if bias is None else y + bias

    def rms_norm(self, name: str, x: "Tensor") -> "Tensor":
        import torch

        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.weights[f"{name}/weight"]

    def timestep(self, name: str, value: "Tensor") -> "Tensor":
        """In float32, as in JAX."""
        import torch
        from torch.nn import functional

        half = TIMESTEP_FEATURES // 2
        frequency = torch.exp(-math.log(10000.0) * torch.arange(half) / half)
        angle = value[:, None] * frequency[None, :]
        x = torch.cat([angle.cos(), angle.sin()], -1)
        for layer, then in (("mlp_0", functional.silu), ("mlp_2", lambda x: x)):
            x = then(x @ self.weights[f"{name}/{layer}/kernel"] + self.weights[f"{name}/{layer}/bias"])
        return x

    def attention(self, name: str, x: "Tensor", cos: "Tensor", sin: "Tensor") -> "Tensor":
        import torch

        B, S, H = x.shape
        heads, head_dim = self.config.heads, self.config.head_dim
        q, k, v = self.dense(f"{name}/qkv", x).view(B, S, 3, heads, head_dim).unbind(2)

        def turned(of: "Tensor") -> "Tensor":
            even, odd = of[..., 0::2], of[..., 1::2]
            return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(of.shape)

        q, k = turned(self.rms_norm(f"{name}/q_norm", q)), turned(self.rms_norm(f"{name}/k_norm", k))
        q, k, v = (of.to(self.dtype).transpose(1, 2) for of in (q, k, v))
        # Written out: torch's own kernel for CPUs takes twice the time of these two products at heads of 64 and 72.
        scores = (q @ k.transpose(-1, -2)).float() / math.sqrt(head_dim)
        mixed = torch.softmax(scores, -1).to(self.dtype) @ v
        return self.dense(f"{name}/proj", mixed.transpose(1, 2).reshape(B, S, H))

    def swiglu(self, name: str, x: "Tensor") -> "Tensor":
        from torch.nn import functional

        a, b = self.dense(f"{name}/w12", x).chunk(2, -1)
        return self.dense(f"{name}/w3", functional.silu(a) * b)

    def trunk(self, z: "Tensor", x_hat_prev: "Tensor", t: "Tensor", w: "Tensor", mode: float) -> "Tensor":
        import torch

        config, weights = self.config, self.weights
        read = self.dense("self_cond_proj", torch.cat([z, x_hat_prev], -1)) if config.self_conditioning else z
        text = self.dense("text_proj/proj2", self.dense("text_proj/proj1", read))
        prefix = [weights["t_emb_tokens"] + self.timestep("t_embedder", t)[:, None]]
        if config.self_cond_cfg_tokens:
            prefix.append(weights["self_cond_cfg_tokens"] + self.timestep("self_cond_cfg_embedder", w)[:, None])
        prefix.append((weights["mode_tokens"] * mode).expand(len(z), -1, -1))
        x = torch.cat([*prefix, text], 1)
        cos, sin = rotary_tables(config.prefix_length, text.shape[1], config.head_dim)
        turn = [torch.from_numpy(of)[None, :, None, :] for of in (cos, sin)]
        for i in range(config.depth):
            x = x + self.attention(f"blocks_{i}/attn", self.rms_norm(f"blocks_{i}/norm1", x), *turn)
            x = x + self.swiglu(f"blocks_{i}/mlp", self.rms_norm(f"blocks_{i}/norm2", x))
        return x[:, config.prefix_length :]

    def denoise(self, z: "Tensor", x_hat_prev: "Tensor", t: "Tensor", w: "Tensor") -> "Tensor":
        h = self.trunk(z, x_hat_prev, t, w, 0.0)
        return self.dense("final_layer/linear", self.rms_norm("final_layer/norm_final", h))

    def decode(self, latent: "Tensor", w: "Tensor") -> "Tensor":
        import torch
        from torch.nn import functional

        h = self.trunk(latent, torch.zeros_like(latent), torch.ones(len(latent)), w, 1.0)
        h = functional.gelu(self.matmul(h, "proj_kernel") + self.weights["proj_bias"], approximate="tanh")
        return self.matmul(h, "unembed_kernel") + self.weights["unembed_bias"]


def denoise_loss(
    network: TorchNetwork,
    flow: FlowConfig,
    x: "Tensor",
    held: "Tensor",
    weight: "Tensor",
    t: "Tensor",
    w: "Tensor",
    noise: "Tensor",
) -> "Tensor":
    """`shared_denoising` and its errors, summed by `weight` (B, L)."""
    import torch

    held, at = held[..., None], t[:, None, None]
    z = torch.where(held, x, at * x + (1 - at) * flow.noise_scale * noise)
    remaining = (1 - at).clamp_min(flow.t_eps)
    target = (x - z) / remaining
    empty = torch.where(held, x, 0.0) if flow.self_cond_start == "condition" else torch.zeros_like(x)
    a, b = self_cond_rows(flow.self_cond_prob, len(x))
    if a == 0:
        return ((((network.denoise(z, empty, t, w) - z) / remaining - target) ** 2).mean(-1) * weight).sum()

    z_a, t_a, w_a, empty_a, x_a, held_a = (take_rows(of, a, b) for of in (z, t, w, empty, x, held))
    chosen = (torch.arange(len(x)) % b < a)[:, None, None]
    with torch.no_grad():
        first = network.denoise(z_a, empty_a, t_a, w_a)
        v0 = put_rows((first - z_a) / take_rows(remaining, a, b), a, b)
        x_hat_prev = torch.where(chosen, put_rows(torch.where(held_a, x_a, first), a, b), empty)
    v = (network.denoise(z, x_hat_prev, t, w) - z) / remaining
    if network.config.self_cond_cfg_tokens:
        target = target + torch.where(chosen, (1 - 1 / w)[:, None, None] * (v.detach() - v0), 0.0)
    return (((v - target) ** 2).mean(-1) * weight).sum()


def decode_loss(
    network: TorchNetwork,
    flow: FlowConfig,
    x: "Tensor",
    held: "Tensor",
    weight: "Tensor",
    ids: "Tensor",
    clean: "Tensor",
    w: "Tensor",
    noise: "Tensor",
) -> "Tensor":
    """`decode_errors`, summed by `weight` (B, L)."""
    import torch
    from torch.nn import functional

    share = clean[..., None]
    latent = share * x + (1 - share) * flow.decoder_noise_scale * noise
    if flow.decoder_condition == "clean":
        latent = torch.where(held[..., None], x, latent)
    errors = functional.cross_entropy(network.decode(latent, w).flatten(0, 1), ids.flatten(), reduction="none")
    return (errors.view(ids.shape) * weight).sum()
