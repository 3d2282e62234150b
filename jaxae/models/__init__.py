"""Autoencoders as Flax (Linen) modules: NHWC, float32, PyTorch's geometry and initialisation by default."""
