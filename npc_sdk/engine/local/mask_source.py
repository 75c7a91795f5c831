"""Token masks for one model's requests: knows its vocabulary, its dialect and what ends its replies.

Made by engine.py at load, because the vocabulary takes a second to read; asked for each constrained request.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from npc_sdk.decoding.grammar import constraint_grammar
from npc_sdk.decoding.token_mask import MaskCompiler, TokenMask
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.engine.local.sequence import EndRules
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.errors import RequestError
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint

log = logging.getLogger(__name__)


class MaskSource:
    """Raises: EngineError for a vocabulary that cannot be constrained, SettingsError for an unknown dialect."""

    def __init__(self, tokenizer: ModelTokenizer, rules: EndRules, dialect: str, *, has_fast_forward: bool) -> None:
        self._frame = tool_format(dialect).frame
        self._stop_texts = rules.stop_texts
        self._has_fast_forward = has_fast_forward
        self._compiler = MaskCompiler(tokenizer, sorted(rules.stop_ids))

    async def start(self, constraint: Constraint) -> TokenMask:
        """A run's mask; a grammar that is new is compiled beside the loop. Raises: RequestError, EngineError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._start, constraint)

    def _start(self, constraint: Constraint) -> TokenMask:
        """One tool that nothing can be written for must not silence the NPC: such tools are left out."""
        try:
            return self._compiled(constraint)
        except RequestError:
            tools = tuple(tool for tool in constraint.tools if self._can_be_written(tool))
            if len(tools) == len(constraint.tools) or (constraint.mode == "required" and not tools):
                raise
            return self._compiled(replace(constraint, tools=tools))

    def _can_be_written(self, tool: ToolSpec) -> bool:
        try:
            self._compiled(Constraint((tool,), "required"))
        except RequestError as exc:
            log.warning("no call of %r can be written, so it is left out: %s", tool.name, exc)
            return False
        return True

    def _compiled(self, constraint: Constraint) -> TokenMask:
        """Raises: RequestError."""
        grammar = constraint_grammar(constraint, self._frame, self._stop_texts)
        return self._compiler.start(grammar, has_fast_forward=self._has_fast_forward)
