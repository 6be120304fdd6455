"""Cues by which people say, in their next message, what they think of an answer: one pattern each, in English.

A sure cue says it alone; an unsure one says that it may be so, and is what a judge is asked about. Patterns are RE2's, over prose
in small letters: what looks like code is taken out first, since `return False` says nothing of anybody's opinion.
"""

from enum import StrEnum

from msgspec import Struct


class Code(StrEnum):
    """The kinds of feedback of Don-Yehiya et al., arXiv 2407.10944."""

    REPEAT = "UR1"  # the same again, or in other words
    CORRECTION = "UR2"  # it was wrong, and this is what is wrong
    COMPLAINT = "UR3"  # it was wrong
    CLARIFICATION = "UR4"  # what does that mean, and is it so
    PRAISE = "UR5"


class Cue(Struct, frozen=True, kw_only=True):
    """One pattern, and what it speaks for."""

    name: str
    code: Code  # a complaint that says more than that is a correction
    is_sure: bool
    pattern: str


_IT = r"(?:that|this|it|these|those|the \w+|your \w+|code|answer|output|result|solution)"
_IS = r"(?:'?s| is| are| was| were| looks?| seems?)"
_VERY = r"(?: (?:still|also|all|just|completely|totally|so|very|really|even|quite|clearly|obviously))*"
_BAD = r"(?:wrong|incorrect|inaccurate|false|broken|useless|nonsense|terrible|bad|a mistake|a lie)"
_NOT = r"(?: not|n'?t)"
_GOOD = r"(?:great|perfect|helpful|awesome|excellent|amazing|wonderful|brilliant|fantastic|nice|good|useful|correct|right|fine)"
_FAIL = r"(?:fails?|failed|failing|crash(?:es|ed)?|breaks?|broke|errors out|times? out|timed out|timing out)"
_DOES = r"(?:does|do|did|is|are|was|were|has|have|would|wo|will|ca|can|could)"

# In the order in which they outrank each other: a complaint that begins with thanks is a complaint.
CUES: tuple[Cue, ...] = (
    Cue(
        name="not what was asked",
        code=Code.COMPLAINT,
        is_sure=True,
        pattern=r"\bnot (?:quite |exactly |really |at all )?(?:what|how|the (?:one|thing|answer)) (?:i|we)\b"
        r"|\b(?:that|this)(?:'?s| is) not (?:it|the (?:answer|question|point|case|problem|issue))\b"
        r"|\bis(?:n'?t| not) what i\b|\bbut i (?:want|wanted|need|needed|expect|expected|asked|said|meant|don'?t want)\b",
    ),
    Cue(
        name="wrong",
        code=Code.COMPLAINT,
        is_sure=True,
        pattern=rf"\b{_IT}{_IS}{_VERY} {_BAD}\b|\b{_IT}{_IS}{_NOT}{_VERY} (?:{_GOOD}|true|working|accurate|it)\b"
        rf"|^(?:no|nope|nah)?\W*(?:still |completely |totally )?(?:{_BAD}|not (?:{_GOOD}|true|working))\b"
        r"|\byou(?:'re| are| were)(?: still)? (?:wrong|mistaken|incorrect|not listening|confus)"
        r"|\byou (?:just |still |also )?(?:missed|forgot|ignored|misunderstood|misread|made an? (?:mistake|error)"
        r"|made (?:it|that) up|got (?:it|that|this) wrong|keep \w+ing)\b|\bdid(?:n'?t| not) (?:answer|listen|read|do what)\b",
    ),
    Cue(
        name="does not work",
        code=Code.COMPLAINT,
        is_sure=True,
        pattern=rf"\b{_DOES}{_NOT}(?: even| seem to| actually| really)? (?:work|working|run|compile|help|solve|fix|make sense"
        rf"|match)\b"
        r"|\b(?:it|this|that|which|code|still) do(?:es)?(?:n'?t| not) (?:take|handle|include|account|consider|return|give|do"
        r"|show|print|use)\b"
        r"|\bstill (?:not|does|doesn'?t|isn'?t|wrong|get|getting|fails?|failing|gives?|says?|returns?|the same|an? error"
        r"|errors?|incorrect|have|having|see|seeing)\b|\b(?:it|this|that|code|answer|output|result)(?:'?s)? still \w"
        rf"|\b(?:it|this|that|which|code|assert(?:ion)?|tests?)(?:'?s| is| are)?(?: still| just| also)? {_FAIL}\b"
        r"|\bcode is incorrect\b|\b(?:to|for|with) no avail\b",
    ),
    Cue(
        name="error pasted",
        code=Code.COMPLAINT,
        is_sure=True,
        pattern=r"^(?:\w*error|errors|exception|traceback)\b[^?]*$|\bi(?:'m| am)? (?:still )?(?:get|got|getting|see|seeing"
        r"|have) (?:an?|this|the|the same|the following) "
        r"(?:\w+ )?(?:error|\w+error|exception)\b",
    ),
    Cue(
        name="no",
        code=Code.COMPLAINT,
        is_sure=True,
        pattern=r"^(?:no|nope|nah)(?:\W*$|\W*[,.!;:]|\W+(?:i|it|that|this|you|the|not|there)\b)",
    ),
    Cue(
        name="dismay",
        code=Code.COMPLAINT,
        is_sure=True,
        pattern=r"\b(?:wtf|what the (?:heck|hell|f\w*)|are you (?:kidding|serious|stupid|dumb)|this is (?:ridiculous"
        r"|frustrating|annoying)|useless|seriously\?)",
    ),
    Cue(
        name="asks again",
        code=Code.REPEAT,
        is_sure=True,
        pattern=r"\b(?:i|we) (?:said|asked|told you|already (?:said|asked|told))\b|\b(?:as|like) i (?:said|asked|mentioned)\b"
        r"|\b(?:i|we) (?:meant|mean)\b|\b(?:try|do (?:it|that|this)|redo (?:it|that|this)|once) (?:again|more|over)\b"
        r"|^(?:again|retry|redo|regenerate|repeat)\W*$"
        r"|\blet me (?:rephrase|repeat|clarify)|\bmy question (?:was|is)\b|\bwhat i (?:meant|mean|want(?:ed)?|asked"
        r"|am asking) (?:was|is|for)\b",
    ),
    Cue(
        name="asks what it means",
        code=Code.CLARIFICATION,
        is_sure=True,
        pattern=r"\bwhat (?:do|did) you mean\b|\bwhat does (?:that|this|it) mean\b|\bi (?:don'?t|do not|didn'?t) (?:understand"
        r"|get it|follow|get what)\b"
        r"|\b(?:can|could|would) you (?:please )?(?:clarify|elaborate|be more specific)\b|^(?:please )?(?:clarify|elaborate)\b"
        r"|\bi'?m (?:still )?confused\b|^(?:huh|pardon|come again)\W*$",
    ),
    Cue(
        name="doubts it",
        code=Code.CLARIFICATION,
        is_sure=True,
        pattern=r"\bare you (?:sure|certain|positive)\b|^(?:and |so |but )?(?:is|was) (?:that|this|it) (?:really "
        r"|actually )?(?:right|correct|true|accurate|so)[ ?!.]*$"
        r"|\bhow (?:do|did) you know\b|\bwhere did you (?:get|find|read)\b|\bwhat(?:'s| is) your source\b",
    ),
    Cue(
        name="thanks",
        code=Code.PRAISE,
        is_sure=True,
        pattern=r"^(?:ok(?:ay)?|great|perfect|awesome|nice|yes|cool|wow|ah|oh|got it)?\W*(?:many |much )?(?:thanks|thank you"
        r"|thank u|thx|ty|cheers|much appreciated)\b",
    ),
    Cue(
        name="praise",
        code=Code.PRAISE,
        is_sure=True,
        pattern=r"^(?:ok(?:ay)?|yes|wow|oh|ah)?\W*(?:great|perfect|awesome|excellent|amazing|wonderful|brilliant|fantastic"
        r"|well done|good (?:job|work|answer|bot)"
        r"|nice (?:job|work|one)|love (?:it|this|that)|i love (?:it|this|that)|exactly what i)\b"
        r"|\b(?:that|this|it)(?:'?s| is| was) (?:so |very |really |super |just |exactly )*(?:great|perfect|helpful|awesome"
        r"|excellent|amazing|wonderful|brilliant|fantastic|useful|exactly)\b"
        r"|\b(?:that|it|this) (?:now )?work(?:s|ed)(?: now| perfectly| great| well| fine|\W*$)|\b(?:very|so|really"
        r"|super) helpful\b|\byou(?:'re| are) (?:the best|awesome|amazing|great)\b",
    ),
    Cue(
        name="error report",
        code=Code.COMPLAINT,
        is_sure=False,
        pattern=r"\b(?:error|errors|exception|traceback|undefined|not defined|no attribute|invalid|time limit|unexpected"
        r"|not supported|out of range|not found|not callable|not iterable)\b|[a-z]error\b"
        r"|\b(?:it|this|code|you|function|answer|output|result)(?:'?s| is)? (?:just |still |only |also |now )?"
        r"(?:gives?|gave|giving|gets?|got|throws?|threw|raises?|raised|says?|said|saying|returns?|returned|returning|prints?"
        r"|printed)\b"
        r"|\b(?:fails?|failed|failing|crash\w*|tim(?:es?|ed|ing) out)\b|\b(?:with|in|of|from) your (?:code|answer|solution"
        r"|function|example)\b",
    ),
    Cue(
        name="maybe wrong",
        code=Code.COMPLAINT,
        is_sure=False,
        pattern=r"\b(?:wrong|incorrect|mistake|not working|does(?:n'?t| not) work|isn'?t working|not correct|not right|missing"
        r"|bug)\b"
        r"|^(?:please )?(?:fix|correct|debug)(?: it| this| that| the| code|\W*$)|\bnot true\b"
        r"|\bcorrect (?:code|version|answer)\b",
    ),
    Cue(
        name="objects",
        code=Code.COMPLAINT,
        is_sure=False,
        pattern=r"^(?:but|not|actually|instead|rather|hmm+|well|wait|sorry)\b|\b(?:instead of|rather than)\b"
        r"|\b(?:should(?:n'?t| not)?|must(?:n'?t| not)?|supposed to) (?:be|have|return|give|print|say|only|not|still)\b"
        r"|\bnot \w+,? but\b|\b(?:you|it) (?:need|have)s? to\b|\binstead\W*$"
        r"|\bi (?:do not|don'?t|did not|didn'?t) (?:want|need)\b"
        r"|^(?:please )?(?:don'?t|do not|stop)\b|\btoo (?:long|short|complicated|complex|formal|vague|generic|verbose|wordy)\b",
    ),
    Cue(
        name="asks once more",
        code=Code.REPEAT,
        is_sure=False,
        pattern=r"^(?:i want|i need|i would like|i'd like) (?:it|this|that|you to|to do (?:it|this|that))\b|^(?:in|with|using"
        r"|for) \w+\W*$|\bagain\b",
    ),
    Cue(
        name="asks back",
        code=Code.CLARIFICATION,
        is_sure=False,
        pattern=r"^(?:but |so |and |wait )?(?:why|how come|how so|really|what|huh|meaning)\W*\?*\W*$|^(?:but |so |and "
        r"|wait )?why (?:is|did|does|do|are|would|not|use|you)\b"
        r"|\b(?:explain|isn'?t (?:that|it|this))\b|^(?:so |but )?(?:is|are|was|were) (?:that|this|it|they)\b",
    ),
    Cue(
        name="maybe praise",
        code=Code.PRAISE,
        is_sure=False,
        pattern=r"\b(?:thanks|thank you|thx|good|nice|cool|interesting|lol|haha|glad|wow|awesome|great|perfect|love)\b"
        r"|\byou(?:'re| are) right\b|^(?:got it|i see|makes sense)\b",
    ),
)
