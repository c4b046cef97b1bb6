"""``python -m eval`` is ``simpler-eval``."""

import simpler_eval

if __name__ == "__main__":  # a spawned process imports this file again
    simpler_eval.main()
