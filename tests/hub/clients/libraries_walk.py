"""What people do with models and data sets on a hub, by the libraries they do it with; run in an environment with them.

Duty: push a tiny model made here and load it again by its name, the logits equal bit for bit; likewise the tensors of a
diffusion model, and the rows of a data set. It knows nothing of TensorHub: the hub is found through HF_ENDPOINT alone.

    HF_ENDPOINT=http://127.0.0.1:8080 HF_TOKEN=hf_any python libraries_walk.py transformers
"""

from __future__ import annotations

import sys
import uuid


def walk_transformers() -> None:
    """Push and load a language model, whole and in shards, and its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        pipeline,
    )

    torch.manual_seed(0)
    name = f"local/tiny-llama-{uuid.uuid4().hex[:8]}"
    words = ["<unk>", "</s>", "the", "a", "model", "hub", "tensor", "is", "small", "large"]
    bare = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bare, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
    )
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config).eval()
    model.push_to_hub(name)
    tokenizer.push_to_hub(name)
    tokens = AutoTokenizer.from_pretrained(name)("the tensor hub is small", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = model(tokens).logits
        got = AutoModelForCausalLM.from_pretrained(name).eval()(tokens).logits
        check(torch.equal(expected, got), "logits of the loaded model differ")
        model.push_to_hub(f"{name}-sharded", max_shard_size="100KB")
        got = AutoModelForCausalLM.from_pretrained(f"{name}-sharded").eval()(tokens).logits
        check(torch.equal(expected, got), "logits of the model in shards differ")
    text = pipeline("text-generation", model=name)("the model", max_new_tokens=3)[0]["generated_text"]
    check(text.startswith("the model"), f"the pipeline said {text!r}")


def walk_diffusers() -> None:
    """Push and load a small U-Net."""
    import torch
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    name = f"local/tiny-unet-{uuid.uuid4().hex[:8]}"
    model = UNet2DModel(
        sample_size=8,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
    ).eval()
    model.push_to_hub(name)
    expected, got = model.state_dict(), UNet2DModel.from_pretrained(name).state_dict()
    check(expected.keys() == got.keys(), "the loaded model has other tensors")
    check(all(torch.equal(expected[key], got[key]) for key in expected), "tensors of the loaded model differ")


def walk_datasets() -> None:
    """Push and load a table, in two splits, whole and as a stream."""
    from datasets import Dataset, DatasetDict, load_dataset

    name = f"local/tiny-data-{uuid.uuid4().hex[:8]}"
    rows = {"text": [f"row {number}" for number in range(100)], "number": list(range(100))}
    table = Dataset.from_dict(rows)
    DatasetDict({"train": table, "test": table.select(range(10))}).push_to_hub(name)
    check(load_dataset(name, split="train").to_dict() == rows, "the loaded rows differ")
    stream = load_dataset(name, split="test", streaming=True)
    check([row["number"] for row in stream] == list(range(10)), "the streamed rows differ")


def check(condition: bool, what: str) -> None:
    """Stop where something is not so."""
    if not condition:
        raise SystemExit(what)


if __name__ == "__main__":
    {"transformers": walk_transformers, "diffusers": walk_diffusers, "datasets": walk_datasets}[sys.argv[1]]()
    print(f"{sys.argv[1]}: all as it should be")
