"""The encoder's objective: some tokens of a window are hidden, and predicted from the rest."""

import jax
import jax.numpy as jnp


def hide_tokens(
    key: jax.Array, ids: jax.Array, real: jax.Array, share: float, mask_id: int, vocabulary_size: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Chooses `share` of each row's real tokens and hides them.

    ids, real (B, L) → hidden ids (B, L), chosen positions (B, K), and which of these count (B, K): K is fixed, so a
    short row has fewer that do. Of the chosen 70 % are masked, 15 % replaced by another token, 15 % left as they are.
    """
    B, L = ids.shape
    K = max(1, round(share * L))
    order_key, fate_key, other_key = jax.random.split(key, 3)
    score = jnp.where(real, jax.random.uniform(order_key, (B, L)), -1.0)
    _, positions = jax.lax.top_k(score, K)
    wanted = jnp.maximum(1, jnp.round(share * real.sum(axis=1))).astype(jnp.int32)
    counts = (jnp.arange(K)[None, :] < wanted[:, None]) & jnp.take_along_axis(real, positions, axis=1)
    fate = jax.random.uniform(fate_key, (B, K))
    other = jax.random.randint(other_key, (B, K), 3, vocabulary_size)
    true = jnp.take_along_axis(ids, positions, axis=1)
    shown = jnp.where(fate < 0.7, mask_id, jnp.where(fate < 0.85, other, true))
    shown = jnp.where(counts, shown, true)
    hidden = jax.vmap(lambda row, at, value: row.at[at].set(value))(ids, positions, shown)
    return hidden, positions, counts
