"""Engines are loaded in several threads."""

import subprocess
import sys

CODE = """
import builtins, sys
from threading import Event, Thread

import numba

from realtime_avatar.engines.registry import Context, load
from realtime_avatar.models.store import ModelStore

load("detector", "fake", Context(ModelStore()))
sys.setswitchinterval(1e-6)
done = Event()

def import_libraries():  # some add to the builtins
    while not done.is_set():
        for number in range(50):
            setattr(builtins, f"_{number}", number)
        for number in range(50):
            delattr(builtins, f"_{number}")

thread = Thread(target=import_libraries)
thread.start()
try:
    numba.njit(lambda: None)
finally:
    done.set()
    thread.join()
"""


def test_functions_are_compiled_while_other_threads_import():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
