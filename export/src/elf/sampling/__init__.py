"""From noise to text: the reference sampler and the networks it can drive."""
