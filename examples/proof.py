"""Independent proof of a batch: plain onnxruntime, tokenizers and json, nothing of Parkade.

    python examples/proof.py INPUT.jsonl BUNDLE_DIR OUTPUT.jsonl ERRORS.jsonl

Embeds every record alone. Each input line is answered once, in output or in errors, in order, byte for byte.
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

MOST_ID, MOST_BYTES = 512, 4 * 1024 * 1024
source, bundle, output, errors = map(Path, sys.argv[1:5])
digest = "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()
manifest = json.loads((bundle / "bundle.json").read_bytes())
tokenizer = Tokenizer.from_file(str(bundle / manifest["input"]["tokenizer"]))
tokenizer.no_padding()
tokenizer.enable_truncation(manifest["input"]["maxTokens"])
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(str(bundle / manifest["variants"][0]["file"]), options)


def answer(number: int, custom_id: str, text: str) -> dict:
    """The output line that the record must have; its numbers are the shortest decimals of the float32 values."""
    tokens = tokenizer.encode(text)
    columns = (tokens.ids, tokens.attention_mask, tokens.type_ids)
    feeds = {name: np.array([ids]) for name, ids in zip(manifest["input"]["tensors"], columns, strict=False)}
    row = session.run([manifest["output"]["tensor"]], feeds)[0][0].astype(np.float64)
    vector = (row / math.sqrt(math.fsum((row * row).tolist()))).astype(np.float32)
    data = [{"object": "embedding", "index": 0, "embedding": [float(str(value)) for value in vector]}]
    usage = {"prompt_tokens": len(tokens.ids), "total_tokens": len(tokens.ids)}
    body = {"object": "list", "data": data, "model": manifest["name"], "usage": usage}
    name = hashlib.sha256(f"{digest}:{number}".encode()).hexdigest()
    response = {"status_code": 200, "request_id": f"req_{name[24:48]}", "body": body}
    return {"id": f"batch_req_{name[:24]}", "custom_id": custom_id, "response": response, "error": None}


def check(condition: object, sentence: str) -> None:
    """Ends the proof with the first difference."""
    if not condition:
        sys.exit(f"proof failed: {sentence}")


def number_of(text: str) -> float | str:
    """A number as JSON has it; another notation of the same value (5E-7 for 5e-7) is another byte, so no number."""
    return float(text) if text == text.lower() else text


def rows(file: Path) -> list[dict]:
    """The lines of a result file."""
    *lines, rest = file.read_bytes().split(b"\n")
    check(rest == b"", f"{file.name} does not end with a whole line")
    try:
        return [json.loads(line, parse_float=number_of) for line in lines]
    except ValueError as problem:
        sys.exit(f"proof failed: {file.name} has a line that is not JSON: {problem}")


def name_of(line: bytes) -> str | None:
    """The custom_id of an input line; None when it has none that can be taken."""
    try:
        row = json.loads(line.decode(), parse_int=float)
        json.dumps(row, allow_nan=False, ensure_ascii=False).encode()
        custom_id = row["custom_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_taken = isinstance(custom_id, str) and 0 < len(custom_id) <= MOST_ID and len(line) < MOST_BYTES
    return custom_id if is_taken else None


answers, refusals = iter(rows(output)), iter(rows(errors))
refusal, embedded, refused, seen, started = next(refusals, None), 0, 0, set(), time.process_time_ns()
for number, line in enumerate(source.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
    if refusal is not None and refusal["error"]["line"] == number:
        check(refusal["custom_id"] == name_of(line), f"{errors.name} has another custom_id for line {number}")
        refusal, refused = next(refusals, None), refused + 1
    elif line.strip():
        try:
            record = json.loads(line)
            wanted = answer(number, record["custom_id"], record["body"]["input"])
        except (ValueError, KeyError, TypeError):
            sys.exit(
                f"proof failed: input line {number} cannot be embedded, and {errors.name} does not tell it"
            )
        found, is_new = next(answers, None), record["custom_id"] not in seen
        check(
            is_new and json.dumps(found) == json.dumps(wanted),
            f"{output.name} does not have what input line {number} must give",
        )
        seen.add(record["custom_id"])
        embedded += 1
milliseconds = (time.process_time_ns() - started) / 1e6 / max(embedded, 1)
check(next(answers, None) is None, f"{output.name} has lines that no input line asked for")
check(refusal is None, f"{errors.name} has lines that are out of order or that no input line asked for")
print(f"{embedded} vectors byte-equal and in order, {refused} records refused; none lost, none twice")
print(json.dumps({"records": embedded, "errors": refused, "raw_cpu_ms_per_record": milliseconds}))
