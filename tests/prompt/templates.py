"""Chat templates written from the documented rendered form of the two model families, for comparison."""

from __future__ import annotations

NEMOTRON = (
    "{{ '<extra_id_0>System\n' + messages[0].content.strip() }}"
    "{% if tools %}{{ '\n' }}"
    "{% for tool in tools %}{{ '\n<tool> ' + (tool | tojson) + ' </tool>' }}{% endfor %}{% endif %}"
    "{% if contexts %}{{ '\n' }}"
    "{% for text in contexts %}{{ '\n<context> ' + text.strip() + ' </context>' }}{% endfor %}{% endif %}"
    "{{ '\n\n' }}"
    "{% for message in messages[1:] %}"
    "{{ '<extra_id_1>' + message.role | capitalize + '\n' + message.content.strip() + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<extra_id_1>Assistant\n' }}{% endif %}"
)

CHATML = (
    "{{ '<|im_start|>system\n' + messages[0].content }}"
    "{% if tools %}"
    "{{ '\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n'"
    " + 'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' }}"
    "{% for tool in tools %}{{ '\n' + (tool | tojson) }}{% endfor %}"
    "{{ '\n</tools>\n\nFor each function call, return a json object with function name and arguments within '"
    " + '<tool_call></tool_call> XML tags:\n<tool_call>\n' + "
    '\'{"name": <function-name>, "arguments": <args-json-object>}\n\''
    " + '</tool_call>' }}"
    "{% endif %}"
    "{{ '<|im_end|>\n' }}"
    "{% for message in messages[1:] %}"
    "{% if message.role == 'tool' %}"
    "{{ '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}"
    "{% elif message.tool_calls %}"
    "{{ '<|im_start|>assistant' + ('\n' + message.content if message.content else '') }}"
    "{% for call in message.tool_calls %}"
    '{{ \'\n<tool_call>\n{"name": "\' + call.function.name + \'", "arguments": \''
    " + (call.function.arguments | tojson) + '}\n</tool_call>' }}"
    "{% endfor %}{{ '<|im_end|>\n' }}"
    "{% else %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
