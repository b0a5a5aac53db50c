"""Embedded Language Flows (ELF) in JAX, of which each part imports only what stands below it (tests/test_house.py):

cli               the command `elf`
bench             costs, measured and on paper
golden            the training step held to numbers of the official code
dev               test equipment: random models, official forms written, fixtures of other tests
yardstick         the encoder-decoder Transformer that translations are held to, and encoders taught by it
onnx_export       graphs, parity, model card
burst             a training carried to a GPU for half an hour, and back
training          objective, optimizer, step, loop, checkpoints; train, distill, plan, pretrain-encoder, train-judge
evaluation        evaluate, score, judges and their perplexity
sampling          the reference sampler, and the compiled one
models            a model at rest, an exported one's files among them, and the one way to open any
checkpoints       files of weights in all their forms, read; fetch
network           the ELF network and the T5 encoder, and the shapes of their parameters
data              corpora, tokenizers, Arrow datasets, batches
config            the shapes of a model, the constants of its flow, and the settings of a run of its sampler
config_file       experiments as YAML over typed defaults
devices           how many devices there are, what lies on which, and how processes find each other
progress          what a long command says meanwhile
text_file         text files, JSON among them, and files that are something else than their name says
paths             paths on this machine, addresses in a bucket, and files that are there whole or not at all
errors            every error that a person can meet, by name
"""
