"""The local engine: a quantized model on this machine behind the Engine seam. This is its asyncio side.

Encodes prompts, queues runs, streams what the worker's thread sends back. Made by engine/create.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from collections.abc import Sequence as SequenceOf
from pathlib import Path

import torch

from npc_sdk.decoding.detokenize import Detokenizer
from npc_sdk.decoding.sampling import check_sampling
from npc_sdk.engine.interface import EngineInfo, EngineItem, Generated
from npc_sdk.engine.local import DEFAULT_CACHE_BYTES
from npc_sdk.engine.local.block_pool import BlockPool, blocks_for
from npc_sdk.engine.local.config import ModelConfig, load_config
from npc_sdk.engine.local.cuda_graph import recorded_decode
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.fingerprint import fingerprint
from npc_sdk.engine.local.front_file import FrontFiles
from npc_sdk.engine.local.governor import Governor
from npc_sdk.engine.local.limits import DEFAULT_LIMITS, Limits
from npc_sdk.engine.local.loader import Progress, load_decoder
from npc_sdk.engine.local.mask_source import MaskSource
from npc_sdk.engine.local.pace import Pace
from npc_sdk.engine.local.prefix_cache import PrefixCache, shared_prefix
from npc_sdk.engine.local.profile import find_stops, read_profile
from npc_sdk.engine.local.runner import Runner
from npc_sdk.engine.local.scheduler import Scheduler
from npc_sdk.engine.local.sequence import EndRules, Sequence
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.engine.local.worker import Worker
from npc_sdk.engine.stats import EngineStats
from npc_sdk.errors import (
    DuplicateRequest,
    EngineCrashed,
    ModelFormatError,
    NpcError,
    Overloaded,
    PromptTooLong,
    RequestError,
    SettingsError,
)
from npc_sdk.events import Usage
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment
from npc_sdk.settings import CacheDtype, GovernorSettings

DEFAULT_GOVERNOR = GovernorSettings()


class LocalEngine:
    """One model, many streams. Fits interface.Engine."""

    def __init__(
        self,
        folder: Path,
        decoder: Decoder,
        tokenizer: ModelTokenizer,
        info: EngineInfo,
        rules: EndRules,
        limits: Limits,
        cache_bytes: int,
        governor: GovernorSettings,
        masks: MaskSource,
    ) -> None:
        self._info = info
        self._tokenizer = tokenizer
        self._rules = rules
        self._masks = masks
        self._limits = limits
        self._open: dict[str, Sequence] = {}
        shape = decoder.cache_shape
        # At least one whole window and a block to copy into, so that whatever is accepted can run alone.
        blocks = max(cache_bytes // shape.block_bytes, blocks_for(info.context_tokens) + 1)
        pool = BlockPool(shape, blocks)
        self.prefix_cache = PrefixCache(pool, cache_bytes)
        scheduler = Scheduler(limits.running, limits.chunk_tokens, limits.busy_chunk_tokens, limits.ageing_s)
        self._governor = Governor(governor, torch.get_num_threads() if decoder.is_same_with_any_threads else 0)
        pace = Pace(self._governor)
        replay = recorded_decode(decoder, pool)
        # A recording rounds otherwise than other steps, and takes no drafts. Beside a prompt a reply goes the other
        # way: on a card greedy words may depend on neighbours.
        drafts = 0 if replay else limits.draft_tokens
        runner = Runner(decoder, pool, self.prefix_cache, drafts, pace.step, replay)
        self._worker = Worker(runner, scheduler, self._governor, pace)
        identity = functools.partial(fingerprint, folder, shape, has_wide=decoder.has_wide)
        self._fronts = FrontFiles(self._worker, shape, identity, info.context_tokens)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: str = "auto",
        threads: int | None = None,
        context_tokens: int | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        cache_dtype: CacheDtype | None = None,
        dtype: str | None = None,
        tokenizer: Path | str | None = None,
        chat_format: str | None = None,
        tool_format: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        governor: GovernorSettings = DEFAULT_GOVERNOR,
        on_progress: Progress | None = None,
    ) -> LocalEngine:
        """Loads a model folder; blocks for as long as that takes. tokenizer names another folder to take it from.

        cache_bytes is what may be kept of ended replies. Running ones share that room, or one whole window where that
        is more; what does not fit waits. cache_dtype int8 stores keys and values in half the room, rounded.

        Mutates: torch's thread count for the whole process, where threads is given.
        Raises: SettingsError, ModelFormatError.
        """
        folder = Path(path)
        _check_settings(threads, cache_bytes)
        if threads is not None:
            torch.set_num_threads(threads)
        tokenizer_folder = folder if tokenizer is None else Path(tokenizer)
        decoder_config = _checked_config(folder, context_tokens)
        profile = read_profile(
            folder,
            decoder_config,
            tokenizer_folder=tokenizer_folder,
            chat_format=chat_format,
            tool_format=tool_format,
        )
        words = ModelTokenizer(tokenizer_folder, has_bos=profile.has_bos)
        _check_vocabulary(words, decoder_config.vocab_size, tokenizer_folder)
        stops = find_stops(profile, decoder_config, words, folder)
        rules = EndRules(stops.ids, stops.texts, words.control_ids)
        masks = MaskSource(words, rules, profile.tool_format, has_fast_forward=limits.fast_forward)
        decoder = load_decoder(
            folder, device=device, dtype=dtype, has_int8_cache=cache_dtype == "int8", on_progress=on_progress
        )
        info = EngineInfo(
            name=profile.name,
            context_tokens=context_tokens or decoder_config.context_tokens,
            chat_format=profile.chat_format,
            tool_format=profile.tool_format,
            device=str(decoder.cache_shape.device),
        )
        return cls(
            folder,
            decoder,
            words,
            info,
            rules,
            limits,
            cache_bytes,
            governor,
            masks,
        )

    @property
    def info(self) -> EngineInfo:
        """What sessions must know of the model."""
        return self._info

    def count_tokens(self, segments: SequenceOf[Segment]) -> int:
        """The exact number of prompt tokens that these segments become."""
        return len(self._tokenizer.encode(segments))

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        """Chunks, then one Generated. Raises: NpcError subclasses; closing the iterator early cancels the run."""
        inbox: asyncio.Queue[EngineItem | NpcError] = asyncio.Queue()
        check_sampling(request.sampling)
        sequence = self._enter(request, inbox)
        try:
            if request.constraint is not None:
                sequence.constrain(await self._masks.start(request.constraint))
            self._worker.submit(sequence)  # also one that was cancelled meanwhile: the worker ends every run
            while True:
                item = await inbox.get()
                if isinstance(item, NpcError):
                    raise item
                if isinstance(item, Generated):
                    del self._open[request.request_id]
                    yield item
                    return
                yield item
        finally:
            self._close_stream(sequence)

    async def prefill(self, request: PrefillRequest) -> Usage:
        """Computes a prompt's front for prompts to come. Raises: NpcError subclasses; its own cancel ends it early."""
        inbox: asyncio.Queue[EngineItem | NpcError] = asyncio.Queue()
        wanted = GenerateRequest(
            request.request_id,
            request.segments,
            priority=request.priority,
            bulk_segments=request.bulk_segments,
            npc_id=request.npc_id,
        )
        sequence = self._enter(wanted, inbox, is_prefill=True)
        try:
            was_recalled = request.snapshot is not None and await self._fronts.recall(sequence, request.snapshot)
            self._worker.submit(sequence)  # also one that was cancelled meanwhile: the worker ends every run
            item = await inbox.get()
        finally:
            self._close_stream(sequence)
        if isinstance(item, NpcError):
            raise item
        assert isinstance(item, Generated), "a prefill says nothing"
        if request.snapshot is not None and not was_recalled and item.finish_reason == "stop":
            await self._fronts.keep(sequence, request.snapshot)
        return item.usage

    def note_frame(self, frame_s: float) -> None:
        """Tells the governor how long the game took for a frame."""
        self._governor.note_frame(frame_s)

    def forget(self, front: SequenceOf[Segment], kept: SequenceOf[Segment] = ()) -> None:
        """Frees the cache of prompts that begin with front, past what it has in common with kept."""
        tokens = self._tokenizer.encode(front)
        shared = shared_prefix(tokens, self._tokenizer.encode(kept))
        with contextlib.suppress(EngineCrashed):  # a closed engine has forgotten everything
            self._worker.call(lambda _: self.prefix_cache.forget_past(tokens, shared))

    def cancel(self, request_id: str) -> None:
        """Asks a run to end before its next token. Unknown ids are ignored."""
        sequence = self._open.get(request_id)
        if sequence is not None:
            sequence.is_cancelled = True
            self._worker.wake()

    def stats(self) -> EngineStats:
        """What the engine did so far: cache, batches, and the requests that ended last."""
        return self._worker.stats(self.prefix_cache.stats)

    async def close(self) -> None:
        """Frees the model. Streams still open end with EngineCrashed."""
        await asyncio.get_running_loop().run_in_executor(None, self._worker.close)

    def _enter(
        self, request: GenerateRequest, inbox: asyncio.Queue[EngineItem | NpcError], *, is_prefill: bool = False
    ) -> Sequence:
        """Checks a request and takes its id, from when on it can be cancelled. The caller submits and closes it.

        Raises: RequestError and its kind, Overloaded.
        """
        self._check_open(request.request_id, is_prefill=is_prefill)
        prompt, bulk_tokens = self._tokenizer.encode_prompt(request)
        room = self._room(prompt, request.request_id)
        loop = asyncio.get_running_loop()

        def emit(item: EngineItem | NpcError) -> None:
            # The loop may close between a check and the call; then nobody listens, and the worker must live on.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(inbox.put_nowait, item)

        detokenizer = Detokenizer(self._tokenizer.decode)
        sequence = Sequence(
            request,
            prompt,
            room=room,
            rules=self._rules,
            detokenizer=detokenizer,
            emit=emit,
            bulk_tokens=bulk_tokens,
            is_prefill=is_prefill,
        )
        self._open[request.request_id] = sequence
        return sequence

    def _check_open(self, request_id: str, *, is_prefill: bool) -> None:
        """Fronts and replies each have a queue, so that guesses keep no reply out.

        Raises: DuplicateRequest, Overloaded.
        """
        if request_id in self._open:
            raise DuplicateRequest(f"request {request_id!r} is running already", hint="give every request its own id")
        waiting = sum(one.is_prefill == is_prefill for one in self._open.values())
        if waiting >= self._limits.queue:
            raise Overloaded(f"{waiting} requests wait already", hint="ask again when one has ended")

    def _room(self, prompt: SequenceOf[int], request_id: str) -> int:
        """Tokens left for the reply. Raises: RequestError, PromptTooLong."""
        if not prompt:
            raise RequestError(f"request {request_id!r} has an empty prompt", hint="give at least one segment of text")
        room = self._info.context_tokens - len(prompt)
        if room < 1:
            hint = "shorten the history or the lore, or load the model with a larger context_tokens"
            raise PromptTooLong(f"the prompt takes {len(prompt)} of {self._info.context_tokens} tokens", hint=hint)
        return room

    def _close_stream(self, sequence: Sequence) -> None:
        """Cancels what is left of a run whose listener is gone, and frees its id."""
        request_id = sequence.request.request_id
        if self._open.get(request_id) is sequence:
            del self._open[request_id]
        if not sequence.is_done:
            sequence.is_cancelled = True
            self._worker.wake()


def _check_settings(threads: int | None, cache_bytes: int) -> None:
    """Raises: SettingsError."""
    if threads is not None and threads < 1:
        raise SettingsError(f"threads is {threads!r}", hint="1 or more; leave it out for torch's choice")
    if cache_bytes < 0:
        raise SettingsError(f"cache_bytes is {cache_bytes!r}", hint="0 or more; 0 keeps no caches of ended replies")


def _checked_config(folder: Path, context_tokens: int | None) -> ModelConfig:
    """The folder's config. Raises: ModelFormatError, SettingsError for a window that the model does not have."""
    config = load_config(folder)
    if context_tokens is not None and not 1 < context_tokens <= config.context_tokens:
        hint = f"the model of {folder} has a window of {config.context_tokens}"
        raise SettingsError(f"context_tokens is {context_tokens!r}", hint=hint)
    return config


def _check_vocabulary(tokenizer: ModelTokenizer, vocab_size: int, folder: Path) -> None:
    """Raises: ModelFormatError where an id could point past the embedding."""
    if tokenizer.vocab_size > vocab_size:
        message = f"the tokenizer of {folder} has {tokenizer.vocab_size} tokens, the model {vocab_size}"
        raise ModelFormatError(message, hint="take both from the same model")
