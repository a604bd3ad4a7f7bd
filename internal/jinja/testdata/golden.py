"""Renders the templates of this file with transformers' own Jinja, for golden_test.go.

    python testdata/golden.py > testdata/golden.json
"""
import json
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "  Hi, \"you\" 🙂\n"},
    {"role": "assistant", "content": "It's é."},
]
VALUES = {
    "messages": MESSAGES, "none_value": None, "yes": True, "n": 7, "f": 2.5, "big": 1e20, "s": "a b,c  d", "empty": "",
    "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "map": {"k": 1, "z": [1.5, None, True], "a": "x'y"},
    "add_generation_prompt": True, "bos_token": "<s>",
}

TEMPLATES = r"""
text alone
{{ 1 }}{{ 1.0 }}{{ 1e3 }}{{ big }}{{ 0.1 + 0.2 }}{{ 7 / 2 }}{{ 7 // 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 2 ** 10 }}{{ 2 ** -1 }}
{{ true }}{{ None }}{{ none_value }}{{ missing }}{{ [1, 'a', "it's", none] }}{{ (1, 2)[0] }}{{ {'a': 1, 2: 'b'} }}
{{ 'a' 'b' ~ 1 ~ none ~ 2.0 }}{{ 'ab' * 3 }}{{ [1] + [2] }}{{ 'a\n\t\\\'\"\x41\u00e9' }}
{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 == 1.0 }}{{ '1' == 1 }}{{ [1] == [1] }}{{ {'a': 1} == {'a': 1.0} }}{{ true == 1 }}
{{ 'b' in 'abc' }}{{ 2 in [1, 2] }}{{ 'k' in map }}{{ 'q' not in map }}{{ not yes }}{{ not missing and yes }}
{{ 'x' if n > 5 else 'y' }}{{ 'x' if n > 9 }}|{{ ('a' if yes else 'b') ~ 'c' }}{{ none_value or 'other' }}{{ n and 'then' }}
{{ (n == 7) != (list|length == 2) }}{{ (1 == 1) == (2 == 2) }}
{{ s[0] }}{{ s[-1] }}{{ s[1:4] }}{{ s[::-1] }}{{ list[1:] }}{{ list[:-1] }}{{ list[::2] }}{{ list[5:] }}{{ s[-3:-1] }}{{ list[-1] }}
{{ messages[0].role }}{{ messages[0]['content'] }}{{ messages[-1].missing }}{{ messages[9] is defined }}{{ map.items() | list | tojson }}
{{ map.get('k') }}{{ map.get('none') }}{{ map.get('q', 5) }}{{ map.keys() | list }}{{ map.values() | list }}{{ map.k }}
{{ s.split() }}{{ s.split(' ') }}{{ s.split(',', 1) }}{{ s.rsplit(' ', 1) }}{{ s.upper() }}{{ s.title() }}{{ s.replace('a', 'b') }}
{{ s.startswith('a b') }}{{ s.endswith(('x', 'd')) }}{{ s.find('c') }}{{ s.count(' ') }}{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ ' x '.lstrip() }}|{{ ' x '.rstrip() }}|
{{ 'a\nb\r\nc'.splitlines() }}{{ ', '.join(words) }}{{ '{} and {name} {{}}'.format(1, name='x') }}{{ 'abc'.removeprefix('a') }}
{{ s|upper }}{{ ' x '|trim }}{{ 'aXb c'|capitalize }}{{ 'ab cd-ef'|title }}{{ words|join(', ') }}{{ messages|join('|', attribute='role') }}
{{ list|sort }}{{ words|sort }}{{ words|sort(reverse=true) }}{{ messages|sort(attribute='role')|map(attribute='role')|list }}{{ words|unique|list }}
{{ list|first }}{{ list|last }}{{ list|length }}{{ list|sum }}{{ list|min }}{{ list|max }}{{ list|reverse|list }}{{ 'abc'|reverse }}
{{ map|dictsort|tojson }}{{ map|items|list|tojson }}{{ map|length }}{{ missing|default('d') }}{{ empty|default('d') }}{{ empty|default('d', true) }}{{ none_value|d('x') }}
{{ words|map('upper')|list }}{{ messages|map(attribute='role')|join(',') }}{{ messages|selectattr('role', 'equalto', 'user')|list|length }}
{{ messages|rejectattr('role', '==', 'user')|map(attribute='content')|list }}{{ list|select('odd')|list }}{{ [0, 1, '']|select|list }}{{ list|reject('in', [3])|list }}
{{ none_value|map('upper')|list }}{{ none_value|selectattr('x')|list }}
{{ map|tojson }}{{ messages[1]|tojson }}{{ map|tojson(indent=2) }}{{ []|tojson }}{{ {}|tojson(indent=4) }}{{ 'é🙂'|tojson(ensure_ascii=true) }}{{ 1.0|tojson }}
{{ map|tojson(separators=(',', ':')) }}{{ '<&>'|tojson }}{{ '<&>"'|escape }}{{ '3'|int + 1 }}{{ '3.7'|float }}{{ 'x'|int }}{{ 'x'|int(9) }}{{ 3.7|int }}
{{ 2.5|round }}{{ 2.567|round(2) }}{{ 2.1|round(0, 'ceil') }}{{ -3|abs }}{{ 'a\nb\n\nc'|indent }}{{ 'a\nb'|indent(2, true) }}{{ 1|string ~ 1 }}
{{ n is odd }}{{ n is even }}{{ n is divisibleby 7 }}{{ missing is defined }}{{ missing is undefined }}{{ none_value is none }}{{ s is string }}{{ map is mapping }}
{{ list is iterable }}{{ s is sequence }}{{ n is number }}{{ f is float }}{{ n is integer }}{{ yes is boolean }}{{ yes is true }}{{ n is not none }}{{ 'a' is in 'abc' }}{{ n is gt 5 }}{{ n is eq(7) }}{{ n is sameas n }}{{ 'A' is upper }}
{% if n == 7 %}seven{% elif n %}other{% else %}none{% endif %}{% if not n %}a{% else %}b{% endif %}
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.cycle('a', 'b') }}{{ m.role }};{% endfor %}
{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined }}-{{ loop.nextitem.role if loop.nextitem is defined else 'end' }};{% endfor %}
{% for m in messages if m.role != 'system' %}{{ loop.index0 }}{{ m.role }}{% else %}nothing{% endfor %}{% for x in [] %}x{% else %}nothing{% endfor %}
{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}{% for k in map %}{{ k }}{% endfor %}{% for c in 'añb' %}{{ c }}.{% endfor %}{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }}{% endfor %}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}{{ range(2, 8, 3)|list }}{{ range(3, 0, -1)|list }}
{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set ns = namespace(found=false, n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% set ns.found = true %}{% endfor %}{{ ns.n }}{{ ns.found }}{{ ns.other is defined }}
{% set x %}block {{ n }}{% endset %}[{{ x }}]{% set y | upper %}loud{% endset %}{{ y }}{% filter upper %}a{{ s }}{% endfilter %}
{% macro greet(name, sign='!') %}Hello {{ name }}{{ sign }}{% endmacro %}{{ greet('a') }}{{ greet('b', sign='?') }}{{ greet(name='c') }}{{ greet('d')|upper }}
{% macro down(k) %}{{ k }}{% if k > 0 %}{{ down(k - 1) }}{% endif %}{% endmacro %}{{ down(3) }}
{% set outer = 'o' %}{% macro m(x) %}{{ outer }}{{ x }}{{ missing }}{% endmacro %}{{ m(1) }}{{ m() }}
{# a comment #}a{#- another -#} b {% raw %}{{ not }} {% this %}{% endraw %} c
{% generation %}said{% endgeneration %}
{{ raise_exception('no system') }}
{{ missing.attribute }}
{{ missing + 1 }}
{{ none_value + 'a' }}
{{ 'a' + 1 }}
{{ 1 | nosuchfilter }}
{% if false %}{{ 1 | nosuchfilter }}{% endif %}fine
{{ list.append(4) }}
{{ [1, 2][5] is defined }}{{ 5 is mapping }}
{% for x in n %}{% endfor %}
{{ n() }}
{{ nosuch() }}
{{ 1 / 0 }}
{% endif %}
{% if %}x{% endif %}
{% for x in %}x{% endfor %}
{{ (1 }}
{{ 'open
{% if yes %}never closed
{{ dict(a=1) }}{{ dict({'b': 2}) }}{{ namespace is callable }}{{ -n }}{{ +n }}{{ - n|abs }}{{ not n == 7 }}
{{ 1 if false else 2 if false else 3 }}{{ (1, )|tojson }}{{ [] }}{{ [1, ] }}{{ {'a': 1, } }}{{ map['z'][0] }}{{ map.z.0 }}
{% set d = {'b': 1, 'a': 2} %}{{ d }}{{ d|tojson }}{{ d.items()|list|tojson }}{{ "%}" }}{{ '}}' }}
{{ f }}{{ 1e-5 }}{{ 123456789012345680000.0 }}{{ 100.0 }}{{ n|float }}{{ 5 % 3.5 }}{{ 2.0 ** 3 }}{{ 7.5 // 2 }}
""".strip("\n").split("\n")

# White space around tags, which needs templates of several lines.
TEMPLATES += [
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%- if yes -%}\n  b\n  {%- endif -%}\nc\n\n",
    "a\n  {%+ if yes +%}\n  b\n  {% endif +%}\nc",
    "a\n  {{ n }}\n  {{- n -}}\n  b\n",
    "a\n  {# note #}\n  b {# note #}\n{#- note -#}\n c\n",
    "{% for m in messages %}\n{{ m.role }}\n{% endfor %}\n",
    "{%- for m in messages -%}\n  {{- m.role }}\n{% endfor -%}\n end",
    "x {% if yes %} y {% endif %} z\n\n",
    "  {% set a = 1 %}  \n  {% set b = 2 %}{{ a }}\n",
    "{{ 'a' }}\n{{ 'b' }}\r\n{{ 'c' }}\r\n",
    "{% raw %}\n {{ x }}\n{% endraw %}\n{%- raw -%} y {%- endraw -%} z",
    "{% if yes %}{% if n %}\n  deep\n{% endif %}{% endif %}\n",
    "{{ {'a': {'b': [1, 2]}}|tojson(indent=2) }}\n",
    "{% set x = 'a\nb' %}{{ x }}",
    "{% set long = [\n  1,\n  2\n] -%}\n{{ long }}",
]

out = []
for text in TEMPLATES:
    case = {"template": text}
    try:
        case["output"] = _compile_jinja_template(text).render(**VALUES)
    except Exception as e:
        case["error"] = type(e).__name__
    out.append(case)
json.dump({"values": VALUES, "cases": out}, sys.stdout, indent=1, ensure_ascii=False)
print()
