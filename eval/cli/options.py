"""Options of verbs: a model such as ``RunOptions`` becomes one command line option a field, and the verb gets the model."""

from __future__ import annotations

import functools
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field
from pydantic.fields import FieldInfo

from eval.cli.completion import completer
from eval.errors import UserError
from eval.options import Options, Rule, read_options, refuse_idle
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions
from task_configs.schema.parsing import StrictModel

Verb = Callable[..., None]

SINGULAR = {
    "suites": "suite",
    "learner": "policy",
    "tasks": "task",
    "variants": "variant",
    "policy_args": "policy_arg",
    "unnorm_keys": "unnorm_key",
    "datasets": "dataset",
    "eval_tasks": "eval_task",
}
"""Fields that hold what an option, given several times, adds up to -> name of the option."""
ENVIRONMENT = {"assets": "SIMPLER_EVAL_ASSETS"}
"""Environment variable of a field."""

HEADINGS = {
    "PlanOptions": "Episodes",
    "ModelOptions": "Policy",
    "Demonstration": "Demonstration",
    "TraceOptions": "Traces",
    "policy": "Policy",
    **dict.fromkeys(("assets", "assets_fallback", "rt", "render_device", "world", "world_python"), "Simulator"),
    **dict.fromkeys(("video", "no_actions", "record", "keep", "report_to"), "Outputs"),
    **dict.fromkeys(("success", "partial"), "Tables"),
    **dict.fromkeys(("workers", "gpus", "replicas", "cluster"), "Parallelism"),
    "RunOptions": "Execution",
    "ServingOptions": "Server",
    **dict.fromkeys(("eval_every", "eval_tasks", "eval_episodes"), "Evaluation during training"),
    "TrainOptions": "Training",
    "TrainOptions.gpus": "Training",
}
"""Field of a model, any field of that name, or else model -> heading in the help of a verb."""
METAVARS = {str: "TEXT", int: "N", float: "X"}
"""What stands for a value in the help of a verb."""

ASSETS = "Asset pack folders, separated by commas, searched in order. Files missing from all of them are replaced by stand-ins."


def _whole_list(text: str | None) -> str | None:
    """Raises UserError for a comma list with nothing between two commas: a folder that was meant would be left out."""
    if text is not None and not all(part.strip() for part in text.split(",")):
        name = ENVIRONMENT["assets"] if os.environ.get(ENVIRONMENT["assets"]) == text else "--assets"
        raise UserError(f'{name} "{text}" names no folder beside a comma; give folders, separated by commas.')
    return text


CALLBACKS = {"assets": _whole_list}
"""What looks at the text of a field."""
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
AssetsOption = Annotated[str | None, typer.Option("--assets", envvar=ENVIRONMENT["assets"], help=ASSETS, callback=_whole_list)]
RenderDevice = Annotated[
    str | None,
    typer.Option("--render-device", help="GPU used for rendering, such as cuda:1; default: the first."),
]
Workers = Annotated[int | None, typer.Option(help="Simulator processes; default: one per core.", min=1)]
Out = Annotated[
    Path | None,
    typer.Option(help="Run folder; default: a new results/<date>-<policy>. The same one continues a run."),
]
RunPaths = Annotated[
    list[Path],
    typer.Argument(help="Folder of a run, such as results/2026-01-31_120000-oracle; or several, or a folder of runs."),
]

Real = Annotated[
    list[str] | None,
    typer.Option(
        "--real",
        metavar="NAME=ROW",
        help="Assign a run to a row of the real-robot table, such as mine=RT-1-X; may be repeated. Not needed for "
        "policies named like a row.",
    ),
]


class ModelOptions(Options):
    """What goes to the policy's constructor; the named ones are those of a policy that is a neural network."""

    policy_args: tuple[str, ...] = Field(default=(), description="NAME=VALUE argument of the policy; may be repeated.")
    checkpoint: str | None = Field(
        default=None,
        description="Checkpoint: a folder, owner/name[@revision] on the Hugging Face Hub, or tiny-random.",
    )
    device: str | None = Field(default=None, description="auto (default), cpu, cuda or cuda:N.")
    dtype: str | None = Field(
        default=None, description="auto (default: bfloat16 on a GPU, else float32), float32, bfloat16 or float16."
    )
    generation: str | None = Field(
        default=None, description="restricted (default: most likely action token) or full (most likely token)."
    )
    inference: str | None = Field(
        default=None, description="auto (default: fast on a GPU, else eager), fast or eager (the reference)."
    )
    deterministic: bool = Field(
        default=False, description="Make an episode's actions independent of its batch; somewhat slower."
    )
    unnorm_keys: tuple[str, ...] = Field(
        default=(), description="Key of the action statistics for un-normalisation: KEY, or widowx=KEY for one robot."
    )
    chunk: int | None = Field(default=None, ge=1, description="For a policy server: number of actions to execute per chunk.")
    ensemble: str | None = Field(
        default=None, description="For a policy server: action ensembling; cosine, exponential, mean or none."
    )
    trace_preset: str | None = Field(default=None, description="released (default) or paper.")
    tracker: str | None = Field(default=None, description="auto (default), cotracker or lucas_kanade (optical flow).")
    tracker_checkpoint: str | None = Field(default=None, description="CoTracker's scaled_offline.pth.")

    def args(self) -> dict[str, str]:
        """Name -> value of everything that was given. Raises UserError for a --policy-arg that is none, or given twice."""
        given = self.model_dump(exclude={"policy_args", "unnorm_keys", "deterministic"}, exclude_none=True)
        named = {name: str(value) for name, value in given.items()}
        if self.deterministic:
            named["deterministic"] = "true"
        if self.unnorm_keys:
            named["unnorm_key"] = ",".join(self.unnorm_keys)
        free = policy_args_of(self.policy_args)
        for name in sorted(named.keys() & free.keys()):
            raise UserError(f"--policy-arg {name}=... and --{name.replace('_', '-')} are the same option; give one of them.")
        return free | named


@dataclass(frozen=True)
class Only:
    """In ``Annotated[Model, Only(...)]``: the fields that become options, and other help texts for some of them."""

    names: tuple[str, ...]
    helps: dict[str, str] = field(default_factory=dict)
    presets: dict[str, object] = field(default_factory=dict)
    """Values of fields that are as good as given: the verb's own defaults."""


@dataclass(frozen=True)
class AllBut:
    """In ``Annotated[Model, AllBut(...)]``: the fields that do not become options, and the rest as of :class:`Only`."""

    names: tuple[str, ...]
    helps: dict[str, str] = field(default_factory=dict)
    presets: dict[str, object] = field(default_factory=dict)


@typing.overload
def expand_options(verb: Verb) -> Verb: ...
@typing.overload
def expand_options(*, rules: Sequence[Rule]) -> Callable[[Verb], Verb]: ...
def expand_options(verb: Verb | None = None, *, rules: Sequence[Rule] = ()) -> Verb | Callable[[Verb], Verb]:
    """Replace every parameter of a verb that is a model by one option for each of its fields.

    The wrapped verb gets a model in which only what the user gave counts as set (``model_fields_set``). Help texts are the
    descriptions of the fields. What has no effect beside what else was given is refused: by the rules of the models, and by
    ``rules``, which may name any option of the verb by its parameter or field::

        @expand_options(rules=[Needs("partial", ("report",), "nothing else has totals")])
        def plan_verb(plan: PlanOptions, as_json: Json = False) -> None: ...
    """
    return functools.partial(_expanded, rules=rules) if verb is None else _expanded(verb, rules)


def _expanded(verb: Verb, rules: Sequence[Rule]) -> Verb:
    hints = typing.get_type_hints(verb, include_extras=True)
    parameters: list[inspect.Parameter] = []
    models: dict[str, tuple[type[StrictModel], dict[str, str]]] = {}
    presets: dict[str, dict[str, object]] = {}
    for name, parameter in inspect.signature(verb).parameters.items():
        model, choice = _model_of(hints[name])
        if model is None:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        fields = _chosen(model, choice)
        models[name] = model, {SINGULAR.get(name, name): name for name in fields}
        helps = {} if choice is None else choice.helps
        presets[name] = {} if choice is None else choice.presets
        parameters += [_option(model, name, info, helps.get(name)) for name, info in fields.items()]
    context = next((parameter.name for parameter in parameters if parameter.annotation is typer.Context), None)
    if context is None:
        parameters.append(inspect.Parameter("_context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))

    @functools.wraps(verb)
    def expanded(**values: object) -> None:
        given = _Given(values[context] if context else values.pop("_context"))
        every = {option: option for option in given.options}
        for _, fields in models.values():
            every |= fields
        refuse_idle(rules, given.among(every), given.shown, given.among(every, "ENVIRONMENT"))
        for name, (model, fields) in models.items():
            of_model = getattr(model, "rules", ())
            silent = given.among(fields, "ENVIRONMENT") | presets[name].keys()
            refuse_idle(of_model, given.among(fields), given.shown, silent)
        for name, (model, fields) in models.items():
            typed = {field: values.pop(option) for option, field in fields.items()}
            known = {field: value for field, value in typed.items() if not (value is None or value is False or value == [])}
            values[name] = read_options(model, presets[name] | known, given.shown)
        verb(**values)

    del expanded.__wrapped__  # typer must see the options, not the models
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return expanded


class _Given:
    """Which options of a verb were given, and how they are written."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401  click's or typer's own
        self.options: dict[str, str] = {}
        """Parameter -> where its value comes from, as click calls it."""
        self._written: dict[str, str] = {}
        for parameter in context.command.params:
            source = context.get_parameter_source(parameter.name)
            self.options[parameter.name] = "" if source is None else source.name
            option = parameter.param_type_name == "option"
            self._written[parameter.name] = max(parameter.opts, key=len) if option else parameter.name.upper()

    def among(self, fields: Mapping[str, str], source: str = "COMMANDLINE") -> set[str]:
        """Fields whose options were given (option -> field)."""
        return {field for option, field in fields.items() if self.options.get(option) == source}

    def shown(self, field: str) -> str:
        """``tasks`` -> ``--task``."""
        option = SINGULAR.get(field, field)
        return self._written.get(option, "--" + option.replace("_", "-"))


def _model_of(hint: object) -> tuple[type[StrictModel] | None, Only | AllBut | None]:
    """The model that a parameter is annotated with, and which of its fields are wished."""
    kind, *notes = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
    if not (isinstance(kind, type) and issubclass(kind, StrictModel)):
        return None, None
    return kind, next((note for note in notes if isinstance(note, Only | AllBut)), None)


def _chosen(model: type[StrictModel], choice: Only | AllBut | None) -> dict[str, FieldInfo]:
    if isinstance(choice, Only):
        return {name: model.model_fields[name] for name in choice.names}
    left_out = choice.names if isinstance(choice, AllBut) else ()
    return {name: info for name, info in model.model_fields.items() if name not in left_out}


def _option(model: type[StrictModel], name: str, info: FieldInfo, text: str | None) -> inspect.Parameter:
    """One option; what is not given is None (or no value, or False), so that it differs from a default that was given."""
    default = info.default
    text = text or info.description or ""
    if isinstance(default, str) and default and "default" not in text:
        text += f"  [default: {default}]"
    completion = completer(name, info.annotation)
    heading = HEADINGS.get(f"{model.__name__}.{name}") or HEADINGS.get(name) or HEADINGS.get(model.__name__)
    parameter = SINGULAR.get(name, name)
    settings: dict[str, Any] = {"help": text, "rich_help_panel": heading, "envvar": ENVIRONMENT.get(name)}
    if default is False:
        option = typer.Option("--" + parameter.replace("_", "-"), show_default=False, **settings)  # no --no-...
        kind: object = bool
    else:
        scalar = str if isinstance(default, tuple) else _scalar(info)
        check = CALLBACKS.get(name)
        option = typer.Option(metavar=METAVARS[scalar], autocompletion=completion, callback=check, **settings)
        kind = list[str] | None if isinstance(default, tuple) else scalar | None
    return inspect.Parameter(
        parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if default is False else None,
        annotation=Annotated[kind, option],
    )


def _scalar(info: FieldInfo) -> type:
    """``str | None`` -> ``str``; a ``Literal`` is text, which the model checks."""
    whole = (info.annotation,)
    parts = whole if typing.get_origin(info.annotation) is typing.Literal else typing.get_args(info.annotation) or whole
    kinds = [str if typing.get_origin(part) is typing.Literal else part for part in parts if part is not type(None)]
    assert isinstance(kinds[0], type)
    return kinds[0]


def filmed_by_default(plan: PlanOptions, options: RunOptions) -> RunOptions:
    """Without a suite or tasks it is the demonstration, of which every episode is filmed unless ``--video`` says otherwise."""
    demo = not (plan.suites or plan.tasks) and "video" not in options.model_fields_set
    return options.model_copy(update={"video": "all"}) if demo else options


def policy_args_of(texts: Sequence[str]) -> dict[str, str]:
    """``["path=a.npz"]`` -> ``{"path": "a.npz"}``."""
    pairs = {}
    for text in texts:
        match = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", text, re.DOTALL)
        if not match:
            raise UserError(f'--policy-arg "{text}" is not NAME=VALUE, such as path=actions.npz.')
        if match[1] in pairs:
            raise UserError(f"--policy-arg {match[1]} is given twice.")
        pairs[match[1]] = match[2]
    return pairs
