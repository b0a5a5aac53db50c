"""A trained model as ONNX graphs, with proof that they compute the same."""
