"""Words to words: chats, persona, what is answered by rule."""
