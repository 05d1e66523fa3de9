"""The choices that change jobs and grants: the CLI runs these functions on what the YAML files declare.

The YAML is the classic form; `compute=serverless` makes it into the other one. Plain YAML could not: a target may
override parts, but it takes no part away, and one choice would need a copy of each job in each target.
"""

from databricks.bundles.core import Bundle, VariableOrList, job_mutator, schema_mutator
from databricks.bundles.jobs import (
    AwsAttributes,
    Continuous,
    CronSchedule,
    DataSecurityMode,
    Environment,
    Job,
    JobEnvironment,
    JobParameterDefinition,
    PauseStatus,
    PerformanceTarget,
    QueueSettings,
)
from databricks.bundles.schemas import Schema

from resources.variables import MOUNTS, Variables, each, plain, value

_ENVIRONMENT = "default"
_STREAM_SCHEDULE = "0 0/15 * * * ?"


@job_mutator
def compute(bundle: Bundle, job: Job) -> Job:
    """Classic: access mode and instance profile of the clusters. Serverless: an environment instead of clusters."""
    if value(bundle, Variables.compute) == "serverless":
        _make_serverless(job, value(bundle, Variables.environment_version))
        return job
    profile = value(bundle, Variables.instance_profile)
    # Mounts and instance profiles are refused in standard access mode.
    dedicated = value(bundle, Variables.landing_access) in MOUNTS or bool(profile)
    for cluster in filter(None, (plain(shared.new_cluster) for shared in each(job.job_clusters))):
        cluster.data_security_mode = DataSecurityMode.SINGLE_USER if dedicated else DataSecurityMode.USER_ISOLATION
        if profile:
            aws = plain(cluster.aws_attributes) or AwsAttributes()
            aws.instance_profile_arn = profile
            cluster.aws_attributes = aws
    return job


def _make_serverless(job: Job, environment_version: str) -> None:
    tasks = each(job.tasks)
    wheels = sorted({plain(library.whl) or "" for task in tasks for library in each(task.libraries)} - {""})
    job.job_clusters = []
    job.environments = [
        JobEnvironment(
            environment_key=_ENVIRONMENT,
            spec=Environment(environment_version=environment_version, dependencies=[*wheels]),
        )
    ]
    for task in tasks:
        task.job_cluster_key = None
        task.libraries = []
        task.environment_key = _ENVIRONMENT
        # Serverless compute would retry by itself, a failed quality gate too.
        task.disable_auto_optimization = True
    if continuous := plain(job.continuous):
        _make_scheduled(job, continuous)
    job.performance_target = PerformanceTarget.STANDARD


def _make_scheduled(job: Job, continuous: Continuous) -> None:
    """Makes a continuous job a scheduled one, every quarter of an hour: serverless has no processing-time trigger."""
    job.schedule = CronSchedule(
        quartz_cron_expression=_STREAM_SCHEDULE, timezone_id="UTC", pause_status=continuous.pause_status
    )
    job.continuous = None
    # A run that is not through when the next is due is waited for by one at most: nothing is lost in a stream.
    job.queue = QueueSettings(enabled=True)
    job.timeout_seconds = 7200
    for task in each(job.tasks):
        task.max_retries = 2
        task.min_retry_interval_millis = 60000
    _set(job, "trigger", "available_now")


@job_mutator
def landing(bundle: Bundle, job: Job) -> Job:
    """The landing's path by the access to it; the YAML has the volume's."""
    paths = {"external_location": "s3://${var.bucket}", **dict.fromkeys(MOUNTS, "/mnt/${var.bucket}")}
    if path := paths.get(value(bundle, Variables.landing_access)):
        _set(job, "landing", path)
    return job


@job_mutator
def orchestrator(bundle: Bundle, job: Job) -> Job:
    """Pauses the schedule of the job that Airflow starts, the one with a landing, so that nothing runs twice."""
    schedule = plain(job.schedule)
    if value(bundle, Variables.orchestrator) == "airflow" and schedule and _parameter(job, "landing"):
        schedule.pause_status = PauseStatus.PAUSED
    return job


@job_mutator
def kinesis_access(bundle: Bundle, job: Job) -> Job:
    """One way into Kinesis: the service credential, else the cluster's own role, else the secret scope's keys."""
    if value(bundle, Variables.service_credential) or value(bundle, Variables.instance_profile):
        _set(job, "scope", "")
    return job


@job_mutator
def notifications(job: Job) -> Job:
    """An empty address means no messages, and not one to nobody, which the platform refuses."""
    if messages := plain(job.email_notifications):
        messages.on_failure = _addresses(messages.on_failure)
        messages.on_duration_warning_threshold_exceeded = _addresses(messages.on_duration_warning_threshold_exceeded)
        messages.on_streaming_backlog_exceeded = _addresses(messages.on_streaming_backlog_exceeded)
    return job


@schema_mutator
def schema_grants(schema: Schema) -> Schema:
    """A grant to nobody (a variable that is empty, as in dev) is left out."""
    schema.grants = [grant for grant in each(schema.grants) if grant.principal]
    return schema


def _addresses(addresses: VariableOrList[str]) -> VariableOrList[str]:
    return [address for address in each(addresses) if address]


def _parameter(job: Job, name: str) -> JobParameterDefinition | None:
    return next((parameter for parameter in each(job.parameters) if parameter.name == name), None)


def _set(job: Job, name: str, default: str) -> None:
    if parameter := _parameter(job, name):
        parameter.default = default
