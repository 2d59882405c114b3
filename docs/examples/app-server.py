#!/usr/bin/env python3
"""One turn over `codex app-server`, from start to end. Needs nothing beside Python 3.

    docs/examples/app-server.py [--codex PATH] [--rehearse] [PROMPT]

With --rehearse the model is a scripted one on loopback: no account, no network.
Questions before a command runs are answered with no; a real client asks its user.
"""

import argparse
import json
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--codex", default="codex")
parser.add_argument("--rehearse", action="store_true")
parser.add_argument("prompt", nargs="?", default="say hello")
args = parser.parse_args()

command = [args.codex]
model = None
if args.rehearse:
    serve = [args.codex, "rehearse", "--serve", "127.0.0.1:0"]
    model = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url = model.stdout.readline().strip()
    provider = f'{{name="scripted", base_url="{url}", wire_api="responses"}}'
    command += ["-c", f"model_providers.scripted={provider}", "-c", "model_provider=scripted"]

server = subprocess.Popen(
    command + ["app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)


def send(message):
    server.stdin.write(json.dumps(message) + "\n")
    server.stdin.flush()


def handle(message):
    """What comes unasked: questions, which want an answer, and news."""
    method, params = message.get("method"), message.get("params", {})
    if method and "id" in message:
        send({"id": message["id"], "result": {"decision": "decline"}})
    elif method == "item/agentMessage/delta":
        print(params["delta"], end="", flush=True)
    elif method == "item/completed" and params["item"]["type"] == "commandExecution":
        print(f"\n$ {params['item']['command']} -> {params['item']['exitCode']}")
    elif method in ("error", "warning", "configWarning"):
        text = params.get("message") or params.get("summary") or params["error"]["message"]
        print(f"{method}: {text}", file=sys.stderr)


def until(is_wanted):
    for line in server.stdout:
        message = json.loads(line)
        if is_wanted(message):
            return message
        handle(message)
    sys.exit("the app-server has ended")


def ask(number, method, params):
    send({"id": number, "method": method, "params": params})
    answer = until(lambda m: m.get("id") == number and "method" not in m)
    if "error" in answer:
        sys.exit(f"{method}: {answer['error']['message']}")
    return answer["result"]


try:
    client = {"name": "example", "title": None, "version": "1"}
    ask(1, "initialize", {"clientInfo": client, "capabilities": None})
    send({"method": "initialized"})
    thread = ask(2, "thread/start", {"sandbox": "read-only"})["thread"]["id"]
    ask(3, "turn/start", {"threadId": thread, "input": [{"type": "text", "text": args.prompt}]})
    turn = until(lambda m: m.get("method") == "turn/completed")["params"]["turn"]
    print(f"\n{turn['status']}")
finally:
    server.stdin.close()  # the end of the input ends the server
    server.wait(10)
    if model:
        model.kill()
sys.exit(turn["status"] != "completed")
