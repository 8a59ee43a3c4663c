"""The chats of one conversation."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from anyio import Lock

from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.ports import Chat
from realtime_avatar.errors import AvatarError, CapacityError
from realtime_avatar.thinking.grounded import Cited
from realtime_avatar.thinking.persona import Persona, system_prompt


class Chats:
    """One for each language, opened when it is first asked for.

    A chat reads its system message when it is opened: seconds, on a small machine, unless it
    was read in an earlier session or start. So ask for the favourite language's in advance.

    Args:
        ensemble: Has the engine.
        stack: Closes them.
        told: Is told of each failure of an engine that another one made good.
        cited: Is told what was looked up for each reply.
        persona: Who the avatar is; by default as the settings say.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        stack: AsyncExitStack,
        told: Callable[[AvatarError], None] | None = None,
        cited: Cited | None = None,
        persona: Persona | None = None,
    ) -> None:
        self._ensemble, self._stack = ensemble, stack
        self._told, self._cited = told, cited
        self._persona = persona or ensemble.persona
        self._open = dict[str, Chat]()
        self._locks = dict[str, Lock]()

    def system(self, language: str) -> str:
        """Return the system message of the requests in a language."""
        return system_prompt(self._persona, language)

    async def get(self, language: str) -> Chat:
        """Return the chat of a language; another's, if the engine has no room for one more.

        Raises:
            CapacityError: if it has room for none.
        """
        async with self._locks.setdefault(language, Lock()):
            if language not in self._open:
                engine = await self._ensemble.chat(
                    language, self._told, self._cited, persona=self._persona
                )
                tools = await self._ensemble.toolbox(language, self._told)
                try:
                    chat = await self._stack.enter_async_context(
                        engine.open(system=self.system(language), tools=tools)
                    )
                except CapacityError:
                    if not self._open:
                        raise
                    return next(iter(self._open.values()))
                self._open[language] = chat
            return self._open[language]
