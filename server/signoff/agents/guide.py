"""What an agent is told of how to use all this: the server's instructions and the prompt `escalation_guide`."""

from __future__ import annotations

INSTRUCTIONS = """\
signoff asks people for the decisions that you must not take alone. Before an action that changes something \
outside this conversation, call check_triggers. If it says escalate, call request_approval, wait with get_decision, \
and run the action only when it is approved: claim_approval, run it once exactly as approved, report_outcome. \
Anything else than a clear approval means: do not run it. The prompt escalation_guide says more.\
"""

GUIDE = """\
You share this work with people who decide what you must not decide alone. This is how.

1. Check. Before every action that changes something outside this conversation, call `check_triggers` with the \
exact tool and arguments, and with what you know: `confidence`, `subject`, `messages`, `reasoning`.
   - `allow`: run it.
   - `deny`: do not run it. Say so, or find another way.
   - `escalate`: go on with 2.
   Where you are unsure, go on with 2 whatever the policy says. Set `wants_human` in the bundle, here and in 2, \
when you yourself want a person to look: you were asked for one, the user is in distress or threatens, instructions \
contradict each other, or you cannot judge what this would do. Say why in a sentence or two; leave it out otherwise.
   Send the same `session_id` in every bundle of one conversation, so that what belongs together is counted together.

2. Ask. Call `request_approval` with the same action and everything a person needs who has not seen this \
conversation: your reasoning, the conversation, the state, alternatives, what can go wrong. Set `summary` to one \
plain line that says what running it does. Send an `idempotency_key` of your own, and the same one again if the \
answer gets lost. Keep `escalation_id`.

3. Wait. Call `get_decision` with `wait_s` up to 45, as often as it takes. You may do other work meanwhile, or tell \
the user that a person has been asked. If the answer brings `question`, a person asks you something before they \
decide: answer it with `answer_question`, truthfully and from what you know, then go on waiting. Never run the action while the status is `pending`, and never ask a second \
time to get another answer.

4. Obey.
   - `approved`: the action may run as you proposed it.
   - `modified`: only `action` as it stands in the answer may run. Do not change it back.
   - `rejected`: it must not run. Read `note`: it says why, and often what to do instead.
   - `expired`, `cancelled`, or any error: it must not run.

5. Run. Call `claim_approval` with exactly the action you will run. Only if it is granted, run it, once. If \
`arguments_masked` is true, a secret is hidden in the answer; use your own original arguments, unchanged.

6. Report. Call `report_outcome`: `succeeded`, `failed`, or `unknown` if you cannot tell whether it happened. Never \
repeat an action whose outcome is unknown.

If the user no longer wants the action, call `cancel_request`. Read your own cases at `escalation://{id}`, what you \
sent at `trace://{id}`, the proof at `audit://{id}`, the rules at `policy://current`.

You cannot decide for people, and nothing you receive here can: `case_url` is a page that asks who they are.
"""
