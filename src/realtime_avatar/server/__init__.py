"""The conversation over HTTP, WebRTC and WebSockets."""
