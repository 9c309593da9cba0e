"""The offline model run by torch, for `bench.embedding`: reads what to embed from its input, tells the seconds.

Runs in an interpreter of its own, which has torch and transformers and none of ours.
"""

import json
import sys
import time

import torch
from transformers import AutoModel, AutoTokenizer

_BATCH = 32  # that of the package of the model's authors


def main() -> None:
    """Embed texts in batches, and questions one by one."""
    asked = json.load(sys.stdin)
    tokenizer = AutoTokenizer.from_pretrained(asked["model"])
    model = AutoModel.from_pretrained(asked["model"]).eval()

    @torch.inference_mode()
    def embed(texts: list[str]) -> None:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        mask = tokens["attention_mask"].unsqueeze(-1)
        torch.nn.functional.normalize((model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1))

    def seconds(*batches: list[str]) -> float:
        began = time.perf_counter()
        for batch in batches:
            embed(batch)
        return time.perf_counter() - began

    texts = sorted(asked["texts"], key=len)
    embed(texts[:_BATCH])  # the first pass is no measure of the others
    whole = seconds(*(texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)))
    print(json.dumps({"texts": whole, "questions": [seconds([text]) for text in asked["questions"]]}))


if __name__ == "__main__":
    main()
