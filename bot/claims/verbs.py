"""Irregular verbs in their plain form. Stemming leaves them apart, and a passive is where a model that says it in its
own words needs them: "refunds are sent" says what "we send your refund" says."""

import re

_VERBS = """
become became|begin began begun|break broke broken|bring brought|build built|buy bought|catch caught
choose chose chosen|come came|do did done|draw drew drawn|drive drove driven|eat ate eaten|find found
forget forgot forgotten|get got gotten|give gave given|go went gone|grow grew grown|hear heard|hide hid hidden
hold held|keep kept|know knew known|lend lent|lose lost|make made|meet met|pay paid|say said|see saw seen|sell sold
send sent|show shown|speak spoke spoken|spend spent|steal stole stolen|take took taken|teach taught|tell told
think thought|throw threw thrown|understand understood|wear wore worn|win won|write wrote written
"""
_PLAIN = {form: verb for verb, *forms in map(str.split, re.split(r"[|\n]", _VERBS.strip())) for form in forms}
_FORM = re.compile(rf"\b(?:{'|'.join(_PLAIN)})\b", re.I)


def plain(text: str) -> str:
    """The text with every irregular past and participle in its verb's plain form."""
    return _FORM.sub(lambda form: _PLAIN[form[0].lower()], text)
