"""``python -m eval`` is ``simpler-eval``."""

import simpler_eval

if __name__ == "__main__":
    simpler_eval.main()
