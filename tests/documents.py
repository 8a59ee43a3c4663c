"""Documents for tests."""

from pathlib import Path

VISIT = """\
Welcome to the museum of clocks.

# Visit

## Hours
The museum opens at ten in the morning and closes at six in the evening.

## Tickets
Tickets cost twelve francs; children under sixteen enter free of charge.

```
# not a heading
```

# Rules
Dogs are not allowed, except guide dogs.
"""


def write_pdf(path: Path, *pages: str) -> None:
    """Write a PDF with a line of text on each page."""
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    parts.append(font)
    kids: list[str] = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(f"{len(parts) + 1} 0 R")
        parts.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % len(parts)
        )
    parts[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    body, offsets = b"%PDF-1.4\n", list[int]()
    for number, part in enumerate(parts, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(parts) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(body))
    path.write_bytes(body + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer)
