"""The specification read a second time, in NumPy and float64: what tests compare the package with.

Nothing here comes from the package: shapes are those of the weights, and only the number of heads is told. Weights are
flat dicts under their official names. Sections are those of the ELF specification.
"""

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


def dense(weights: Weights, name: str, x: Array) -> Array:
    return x @ weights[f"{name}/kernel"] + weights.get(f"{name}/bias", 0.0)


def rms_norm(x: Array, gain: Array) -> Array:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * gain


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def timestep_embedding(weights: Weights, name: str, value: Array) -> Array:
    """Section 2: `[cos(t·f), sin(t·f)]` of the raw value (B,), f_i = 10000^(−i/128), then Dense, SiLU, Dense."""
    angle = np.outer(value, [10000 ** (-i / 128) for i in range(128)])
    features = np.hstack([np.cos(angle), np.sin(angle)])
    return dense(weights, f"{name}/mlp_2", silu(dense(weights, f"{name}/mlp_0", features)))


def turn(x: Array, positions: list[int]) -> Array:
    """Rotary of x (B, S, heads, head_dim): the pair (2i, 2i+1), read as a complex number, times e^(j·position·f_i)."""
    pairs = x[..., 0::2] + 1j * x[..., 1::2]
    frequency = 10000.0 ** (-2 * np.arange(pairs.shape[-1]) / x.shape[-1])
    pairs = pairs * np.exp(1j * np.outer(positions, frequency))[None, :, None, :]
    return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)


def attention(weights: Weights, name: str, x: Array, heads: int, positions: list[int], blind: bool = False) -> Array:
    """`blind`: all of a position's attention goes to itself."""
    B, S, H = x.shape
    q, k, v = np.split(dense(weights, f"{name}/qkv", x), 3, -1)
    q, k, v = (part.reshape(B, S, heads, H // heads) for part in (q, k, v))
    q = turn(rms_norm(q, weights[f"{name}/q_norm/weight"]), positions)
    k = turn(rms_norm(k, weights[f"{name}/k_norm/weight"]), positions)
    out = np.zeros((B, S, heads, H // heads))
    for head in range(heads):
        scores = q[:, :, head] @ k[:, :, head].transpose(0, 2, 1) / np.sqrt(H // heads)
        out[:, :, head] = (np.eye(S) if blind else softmax(scores)) @ v[:, :, head]
    return dense(weights, f"{name}/proj", out.reshape(B, S, H))


def swiglu(weights: Weights, name: str, x: Array) -> Array:
    a, b = np.split(dense(weights, f"{name}/w12", x), 2, -1)
    return dense(weights, f"{name}/w3", silu(a) * b)


def trunk(
    weights: Weights,
    heads: int,
    z: Array,
    x_hat_prev: Array,
    t: Array,
    w: Array,
    decoding: bool,
    blind_blocks: tuple[int, ...] = (),
) -> Array:
    """Section 2, steps 1 to 4: z, x̂_prev (B, L, D), t and w (B,) → h (B, L, H)."""
    B, L, _ = z.shape
    text = dense(weights, "self_cond_proj", np.concatenate([z, x_hat_prev], -1))
    text = dense(weights, "text_proj/proj2", dense(weights, "text_proj/proj1", text))
    time = weights["t_emb_tokens"] + timestep_embedding(weights, "t_embedder", t)[:, None]
    guidance = weights["self_cond_cfg_tokens"] + timestep_embedding(weights, "self_cond_cfg_embedder", w)[:, None]
    mode = np.repeat(weights["mode_tokens"] * (1 if decoding else 0), B, 0)
    x = np.concatenate([time, guidance, mode, text], 1)
    prefix = x.shape[1] - L
    positions = [0] * prefix + list(range(L))
    depth = sum(name.endswith("/norm1/weight") for name in weights)
    for i in range(depth):
        block = f"blocks_{i}"
        normed = rms_norm(x, weights[f"{block}/norm1/weight"])
        x = x + attention(weights, f"{block}/attn", normed, heads, positions, i in blind_blocks)
        x = x + swiglu(weights, f"{block}/mlp", rms_norm(x, weights[f"{block}/norm2/weight"]))
    return x[:, prefix:]


def denoise(
    weights: Weights,
    heads: int,
    z: Array,
    x_hat_prev: Array,
    t: Array,
    w: Array,
    blind_blocks: tuple[int, ...] = (),
) -> Array:
    """x̂ (B, L, D)."""
    h = trunk(weights, heads, z, x_hat_prev, t, w, decoding=False, blind_blocks=blind_blocks)
    return dense(weights, "final_layer/linear", rms_norm(h, weights["final_layer/norm_final/weight"]))


def decode(weights: Weights, heads: int, latent: Array, w: Array) -> Array:
    """Logits (B, L, V): t = 1, mode on, x̂_prev = 0."""
    h = trunk(weights, heads, latent, np.zeros_like(latent), np.ones(len(latent)), w, decoding=True)
    inner = gelu_tanh(h @ weights["proj_kernel"] + weights["proj_bias"])
    return inner @ weights["unembed_kernel"] + weights["unembed_bias"]


def velocity(x_hat: Array, z: Array, t: Array) -> Array:
    """Section 1, t_eps = 0.05."""
    return (x_hat - z) / np.maximum(1 - t, 0.05).reshape(-1, 1, 1)


def relative_bucket(offset: int, buckets: int = 32, farthest: int = 128) -> int:
    """T5's bucket of key position − query position: half the buckets per direction, half of each exact, then by log."""
    half = buckets // 2
    distance, exact = abs(offset), half // 2
    if distance >= exact:
        distance = min(exact + int(np.log(distance / exact) / np.log(farthest / exact) * (half - exact)), half - 1)
    return distance + (half if offset > 0 else 0)


def t5_encode(weights: Weights, heads: int, ids: Array, visible: Array, farthest: int = 128) -> Array:
    """Section 2, T5 encoder: ids (B, L), visible (B, L, L) bool, query × key → (B, L, d_model)."""
    B, L = ids.shape
    table = weights["encoder/block_0/layer_0/SelfAttention/relative_attention_bias/rel_embedding"]
    buckets = [[relative_bucket(key - query, farthest=farthest) for key in range(L)] for query in range(L)]
    x = weights["shared/embedding"][ids]
    layers = sum(name.endswith("layer_0/layer_norm/weight") for name in weights)
    for i in range(layers):
        block = f"encoder/block_{i}"
        normed = rms_norm(x, weights[f"{block}/layer_0/layer_norm/weight"])
        q, k, v = (
            dense(weights, f"{block}/layer_0/SelfAttention/{part}", normed).reshape(B, L, heads, -1) for part in "qkv"
        )
        mixed = np.zeros_like(v)
        for head in range(heads):
            scores = q[:, :, head] @ k[:, :, head].transpose(0, 2, 1) + table[buckets, head]
            mixed[:, :, head] = softmax(np.where(visible, scores, -np.inf)) @ v[:, :, head]
        x = x + dense(weights, f"{block}/layer_0/SelfAttention/o", mixed.reshape(B, L, -1))
        normed = rms_norm(x, weights[f"{block}/layer_1/layer_norm/weight"])
        inner = np.maximum(dense(weights, f"{block}/layer_1/DenseReluDense/wi", normed), 0)
        x = x + dense(weights, f"{block}/layer_1/DenseReluDense/wo", inner)
    return rms_norm(x, weights["encoder/final_layer_norm/weight"])


def orthogonalise(matrix: Array) -> Array:
    """Muon's Newton–Schulz: divided by its Frobenius norm, then five times X ← aX + (bA + cA²)X with A = XXᵀ."""
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / (np.linalg.norm(x) + 1e-8)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
