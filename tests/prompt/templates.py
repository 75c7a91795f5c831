"""Chat templates written from the documented rendered form of the model families, for comparison."""

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

LLAMA3 = (
    "{{ '<|start_header_id|>system<|end_header_id|>\n\n' }}"
    "{% if tools %}{{ 'Environment: ipython\n' }}{% endif %}"
    "{{ 'Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' }}"
    "{% if tools %}"
    "{{ 'You have access to the following functions. To call a function, please respond with JSON for a function call.'"
    ' + \'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.\''
    " + 'Do not use variables.\n\n' }}"
    "{% for tool in tools %}{{ (tool | tojson(indent=4)) + '\n\n' }}{% endfor %}"
    "{% endif %}"
    "{{ (messages[0].content | trim) + '<|eot_id|>' }}"
    "{% for message in messages[1:] %}"
    "{% if message.role == 'tool' %}"
    "{{ '<|start_header_id|>ipython<|end_header_id|>\n\n' + (message.content | tojson) + '<|eot_id|>' }}"
    "{% elif message.tool_calls %}"
    "{% if message.tool_calls | length != 1 %}{{ raise_exception('one call at once') }}{% endif %}"
    "{% set call = message.tool_calls[0].function %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{{ '{\"name\": \"' + call.name + '\", \"parameters\": ' + (call.arguments | tojson) + '}<|eot_id|>' }}"
    "{% else %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + (message.content | trim) + '<|eot_id|>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

MISTRAL = (
    "{% set asked = messages | selectattr('role', 'equalto', 'user') | list %}"
    "{% for message in messages %}"
    "{% if message.role == 'user' %}"
    "{% if tools and message == asked[-1] %}"
    "{{ '[AVAILABLE_TOOLS] [' }}"
    "{% for tool in tools %}"
    '{{ \'{"type": "function", "function": {"name": "\' + tool.function.name + \'", "description": "\''
    " + tool.function.description + '\", \"parameters\": ' + (tool.function.parameters | tojson) + '}}' }}"
    "{{ ']' if loop.last else ', ' }}"
    "{% endfor %}"
    "{{ '[/AVAILABLE_TOOLS]' }}"
    "{% endif %}"
    "{{ '[INST] ' + message.content + '[/INST]' }}"
    "{% elif message.tool_calls %}"
    "{{ '[TOOL_CALLS] [' }}"
    "{% for call in message.tool_calls %}"
    "{% if call.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}"
    "{{ (call.function | tojson)[:-1] + ', \"id\": \"' + call.id + '\"}' + (']</s>' if loop.last else ', ') }}"
    "{% endfor %}"
    "{% elif message.role == 'tool' %}"
    '{{ \'[TOOL_RESULTS] {"content": \' + message.content + \', "call_id": "\' + message.tool_call_id'
    " + '\"}[/TOOL_RESULTS]' }}"
    "{% else %}"
    "{{ ' ' + (message.content | trim) + '</s>' }}"
    "{% endif %}"
    "{% endfor %}"
)
