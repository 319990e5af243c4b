"""A llama.cpp server that is not ours, with the same weights: what the tests switch to and what the
bench compares with. It prints its address, and ends when its standard input does.

    peer.py MODEL.gguf [CONTEXT [THREADS]]
"""

import sys

import xllamacpp


def main() -> None:
    model = sys.argv[1]
    context = int(sys.argv[2]) if len(sys.argv) > 2 else 4096
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = ["peer"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = context
    params.n_parallel = 1
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


main()
