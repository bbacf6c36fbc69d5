"""Independent proof of a batch: plain onnxruntime, tokenizers and json, nothing of Parkade.

    python examples/proof.py INPUT.jsonl BUNDLE_DIR OUTPUT.jsonl ERRORS.jsonl

Embeds every record alone. Each input line must be answered once, in order, with the same vector byte for byte.
"""

import hashlib
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

source, bundle, output, errors = map(Path, sys.argv[1:5])
digest = "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()
manifest = json.loads((bundle / "bundle.json").read_bytes())
tokenizer = Tokenizer.from_file(str(bundle / manifest["input"]["tokenizer"]))
tokenizer.no_padding()
tokenizer.enable_truncation(manifest["input"]["maxTokens"])
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(str(bundle / manifest["variants"][0]["file"]), options)


def embed(text: str) -> tuple[np.ndarray, int]:
    """The unit vector of one text, computed alone, and its number of tokens."""
    encoding = tokenizer.encode(text)
    columns = (encoding.ids, encoding.attention_mask, encoding.type_ids)
    feeds = {name: np.array([ids]) for name, ids in zip(manifest["input"]["tensors"], columns, strict=False)}
    row = session.run([manifest["output"]["tensor"]], feeds)[0][0].astype(np.float64)
    return (row / math.sqrt(math.fsum((row * row).tolist()))).astype(np.float32), len(encoding.ids)


def answer(number: int, custom_id: str, vector: np.ndarray, tokens: int) -> dict:
    """The output line that the record must have; numbers are the shortest decimals of the float32 values."""
    name = hashlib.sha256(f"{digest}:{number}".encode()).hexdigest()
    data = [{"object": "embedding", "index": 0, "embedding": [float(str(value)) for value in vector]}]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"object": "list", "data": data, "model": manifest["name"], "usage": usage}
    response = {"status_code": 200, "request_id": f"req_{name[24:48]}", "body": body}
    return {"id": f"batch_req_{name[:24]}", "custom_id": custom_id, "response": response, "error": None}


def request(line: bytes, seen: set[str]) -> tuple[str | None, str | None]:
    """The custom_id and the text to embed; each None when the line does not state one that can be used."""
    record = parsed(line)
    custom_id = record.get("custom_id") if isinstance(record, dict) else None
    if not isinstance(custom_id, str) or not custom_id:
        return None, None
    body, is_first = record.get("body"), custom_id not in seen
    seen.add(custom_id)
    is_call = (
        record.get("method") == "POST" and record.get("url") == "/v1/embeddings" and isinstance(body, dict)
    )
    text = body.get("input") if is_call and is_first else None
    return custom_id, text if isinstance(text, str) and text.strip() else None


def parsed(line: bytes) -> object:
    """What the line says, or None when it is not JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def check(condition: object, sentence: str) -> None:
    """Ends the proof with the first difference."""
    if not condition:
        sys.exit(f"proof failed: {sentence}")


rows = {path: path.read_bytes().split(b"\n") for path in (output, errors)}
check(all(lines.pop() == b"" for lines in rows.values()), "a file does not end with a whole line")
answers, refusals = map(iter, rows.values())
seen, embedded, refused, spent = set(), 0, 0, 0
for number, line in enumerate(source.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
    custom_id, text = request(line, seen)
    where = f"input line {number} ({custom_id})"
    if text is not None:
        started = time.process_time_ns()
        vector, tokens = embed(text)
        spent += time.process_time_ns() - started
        wanted, found = answer(number, custom_id, vector, tokens), parsed(next(answers, b"")) or {}
        check(found.get("custom_id") == custom_id, f"{output.name} has {found.get('custom_id')}, not {where}")
        check(found == wanted, f"{output.name} has another vector or other words for {where}")
        embedded += 1
    elif line.strip():
        found = parsed(next(refusals, b"")) or {"error": {"line": None}}
        told = (found["error"]["line"], found.get("custom_id"))
        check(told == (number, custom_id), f"{errors.name} has line {told[0]} ({told[1]}), not {where}")
        refused += 1
check(next(answers, None) is None, f"{output.name} has lines that no input line asked for")
check(next(refusals, None) is None, f"{errors.name} has lines that no input line asked for")
print(f"{embedded} vectors byte-equal and in order, {refused} records refused; none lost, none twice")
print(
    json.dumps(
        {"records": embedded, "errors": refused, "raw_cpu_ms_per_record": spent / 1e6 / max(embedded, 1)}
    )
)
