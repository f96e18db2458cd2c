#include "slurm/job_parts.hpp"

#include <cctype>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "slurm/quote.hpp"

namespace entrain::slurm {

const char* const kEnvironment =
    R"sh(export SLURM_NO_KILL=set  # for the steps; 1 is refused
export SLURM_UNBUFFEREDIO=1 NCCL_NVLS_ENABLE=0 CUBLAS_WORKSPACE_CONFIG=:4096:8
export SLURM_RESTART_COUNT="${SLURM_RESTART_COUNT:-0}"  # Slurm leaves it unset in the first run
unset SRUN_CPUS_PER_TASK                                # would bind mpirun's daemons to the processors of one rank
STARTS=$((${ENTRAIN_STARTS:-0} + SLURM_RESTART_COUNT))
)sh";

const char* const kSay = R"sh(say() { echo "[$(date -u +%Y-%m-%dT%H:%M:%SZ) job $ID] $*"; }
)sh";

const char* const kDone = R"sh(
if [ -f "$RUN/DONE" ]; then
  say "$RUN/DONE is there: this run has ended, nothing to do"
  exit 0
fi
say "start $STARTS of $RUN on ${SLURM_JOB_NODELIST:-this machine}"

)sh";

const char* const kCancelled =
    R"sh(# Whether a person has cancelled the job: it is being ended, by neither its time limit nor a preemption. A requeue would
# bring it back to life. Where squeue does not say so, it was not.
cancelled() {
  local state left preempted
  read -r state left preempted < <(timeout 20 squeue -h -j "$ID" -O State:20,TimeLeft:20,PreemptTime:30 2> /dev/null)
  [ "$state" = COMPLETING ] || [ "$state" = CANCELLED ] || return 1
  [ "$preempted" = N/A ] && [ "$left" != INVALID ] && [ "$left" != 0:00 ]
}
)sh";

const char* const kPreparing =
    R"sh(# What ends the job before the run begins is told to those who look at the run.
not_prepared() {
  local rc=$1
  [ "$rc" != 0 ] || rc=78  # nothing is done
  say "the job ended with $1 in its modules, setup lines or staging (section slurm), before the run began"
  printf '{"code":%d,"verdict":"stop","reason":"%s"}\n' "$rc" \
    "job $ID ended with $1 in its modules, setup lines or staging (section slurm), before the run began; its log says more" \
    > "$RUN/exit.json"
  exit "$rc"
}
setup_failed() { say "warning: slurm.setup: ended with $1: $2"; }
trap 'not_prepared $?' EXIT
)sh";

const char* const kPrepared =
    R"sh(for name in EXIT ERR; do  # unless the setup lines have put their own in the place
  [[ $(trap -p $name) != *not_prepared* && $(trap -p $name) != *setup_failed* ]] || trap - $name
done
)sh";

const char* const kBadNodes =
    R"sh(# Nodes that this start's preflight found bad, with those that the job leaves out already, for its next start. Nothing where
# it would wait for ever without them.
nodes_to_avoid() {
  local line had bad='' script=$1
  [ -r "$RUN/bad_nodes.json" ] || return
  while IFS= read -r line; do
    [[ $line = *"\"job\":\"$SLURM_JOB_ID\""* && $line =~ \"node\":\"([A-Za-z0-9._-]+)\" ]] || continue
    bad+=${bad:+,}${BASH_REMATCH[1]}
  done < "$RUN/bad_nodes.json"
  [ -n "$bad" ] || return
  had=$(timeout 10 squeue -h -j "$ID" -o %x 2> /dev/null)
  bad=${had:+$had,}$bad
  timeout 10 sbatch --test-only --exclude="$bad" "$script" > /dev/null 2>&1 && echo "$bad"
}
# Slurm takes it for a job that waits, and ends this script meanwhile: the TERM may hit scontrol, too.
leave_out() {
  local try
  [ -n "$1" ] || return
  for try in 1 2 3; do
    timeout 10 scontrol update "JobId=$ID" "ExcNodeList=$1" && say "the next start gets other nodes than $1" && return
    sleep 0.3
  done
}
)sh";

const char* const kSuccessor =
    R"sh(# Where Slurm takes no requeue: this script again as a new job, and the stages behind it, whose old jobs go with this one.
successor() {
  local id i
  command -v sbatch > /dev/null || { say "there is no sbatch here either; go on by hand: sbatch $BASE/job.sh"; return; }
  id=$(submit --dependency=singleton ${bad:+"--exclude=$bad"} "$BASE/job.sh") || { say "sbatch refused a successor; go on by hand: sbatch $BASE/job.sh"; return; }
  say "job ${id%%;*} goes on instead, after this one"
  record "${id%%;*}" "$STAGE" "$BASE" "$BASE"
  for i in "${!NEXT[@]}"; do
    id=$(submit "--dependency=afterok:${id%%;*}" --kill-on-invalid-dep=yes "${NEXT[i]}/job.sh") || {
      say "sbatch refused ${NEXT[i]}/job.sh; once this stage is done: sbatch ${NEXT[i]}/job.sh"; return; }
    record "${id%%;*}" "${NEXT_STAGE[i]}" "${NEXT[i]}" "$BASE" "${NEXT[@]:0:i+1}"
  done
}
submit() { ENTRAIN_STARTS=$((STARTS + 1)) timeout 60 env -u SLURM_RESTART_COUNT sbatch --parsable "$@"; }
record() { # job, stage, its folder, then the folders in which --cancel-chain shall find it
  local folder script
  script=${3//\\/\\\\}/job.sh
  for folder in "${@:4}"; do
    printf '{"job":"%s","time":"%s","stage":"%s","script":"%s"}\n' "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2" \
      "${script//\"/\\\"}" >> "$folder/jobs.jsonl"
  done
}
)sh";

const char* const kSuccessorOfRow =
    R"sh(# Where Slurm takes no requeue: this row again as a new job. Rows of later stages were waiting for this one and are gone.
successor() {
  local id by_hand="sbatch --array=$SLURM_ARRAY_TASK_ID $BASE/job.sh"
  command -v sbatch > /dev/null || { say "there is no sbatch here either; go on by hand: $by_hand"; return; }
  id=$(ENTRAIN_STARTS=$((STARTS + 1)) timeout 60 env -u SLURM_RESTART_COUNT sbatch --parsable \
    --dependency="afterany:$ID" --array="$SLURM_ARRAY_TASK_ID" ${bad:+"--exclude=$bad"} "$BASE/job.sh") || {
    say "sbatch refused a successor; go on by hand: $by_hand"; return; }
  say "job ${id%%;*} goes on instead, after this one"
  printf '{"job":"%s","time":"%s","stage":"%s"}\n' "${id%%;*}" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$STAGE" >> "$BASE/jobs.jsonl"
  [ ${#NEXT[@]} = 0 ] || say "when it is done, by hand: sbatch --array=$SLURM_ARRAY_TASK_ID ${NEXT[0]}/job.sh"
}
)sh";

const char* const kRequeue =
    R"sh(# The run wants to go on in the next job. A brake for a loop that nobody looks at.
again() {
  local said bad
  if cancelled; then
    say "the job was cancelled, so it is not requeued; to go on: sbatch $BASE/job.sh"
  elif [ "$STARTS" -ge 100 ]; then
    say "not requeued: it was started $((STARTS + 1)) times; to go on: sbatch $BASE/job.sh"
  elif bad=$(nodes_to_avoid "$BASE/job.sh"); ! command -v scontrol > /dev/null; then
    say "there is no scontrol on this node, so Slurm cannot requeue the job"
    successor
  else
    say "asks Slurm to requeue the job"  # which may end this script at once
    said=$(timeout 60 scontrol requeue "$ID" 2>&1) && { leave_out "$bad"; return; }
    # At the end of a preemption's grace Slurm has done so by itself, and says so while squeue may still show COMPLETING.
    if [[ $said = *"pending execution"* || $(timeout 20 squeue -h -j "$ID" -o %T 2> /dev/null) = PENDING* ]]; then
      say "Slurm has done so by itself already"
      leave_out "$bad"
      return
    fi
    echo "$said"
    say "Slurm did not requeue the job"
    successor
  fi
}
)sh";

const char* const kNextOfChain = R"sh(again() { say "the next job of the chain, if one waits, goes on"; }
)sh";

const char* const kTraps =
    R"sh(# Slurm warns this shell (USR1: the time limit comes; TERM: preempted or cancelled); the supervisor is told, commits, ends.
SUP='' NOTICE='' GUARD=''
trap 'NOTICE=USR1; [ -z "$SUP" ] || kill -USR1 "$SUP" 2> /dev/null' USR1
trap 'NOTICE=TERM; [ -z "$SUP" ] || kill -TERM "$SUP" 2> /dev/null' TERM
)sh";

// What the other node runs has no single quotes. Its srun has a session of its own: a hangup of this one's would make it
// cancel the step. It acts only on a clear answer: the job has lost a node that it had. After
// a requeue that was taken it is ended, maybe in the midst of scontrol.
const char* const kGuard =
    R"sh(# Where this node dies, Slurm keeps the job on the others (--no-kill), without a script that would act. So another one looks
# every 15 s whether the job still has this node, and has it requeued if not.
guard() {
  local try step=''
  trap '[ -z "$step" ] || kill "$step" 2> /dev/null; exit' TERM
  for ((try = 1; try < SLURM_JOB_NUM_NODES; try++)); do  # the one that looks may die itself
    setsid srun --overlap --mpi=none --relative=1 --nodes=1 --ntasks=1 --ntasks-per-node=1 bash -c '
first=$1 id=$2 run=$3
exec >> "$run/slurm-$id.out" 2>&1
say() { echo "[$(date -u +%Y-%m-%dT%H:%M:%SZ) job $id, $SLURMD_NODENAME] $*"; }
state() { timeout 20 squeue -h -j "$id" -o %T "$@" 2> /dev/null; }
[ -n "$(state -w "$first")" ] || exit
while sleep 15; do
  with=$(state -w "$first") && [ -z "$with" ] && [ "$(state)" = RUNNING ] || continue
  say "$first, the first node, is lost, and this script with it; asks Slurm to requeue the job"
  timeout 60 scontrol requeue "$id" && exit
  [ "$(state)" = RUNNING ] || exit
  say "Slurm did not requeue the job, so it is cancelled; a chain goes on by itself, else: sbatch $run/job.sh"
  timeout 60 scancel "$id"
  exit
done' guard "$SLURMD_NODENAME" "$ID" "$BASE" < /dev/null > /dev/null 2>&1 &
    step=$!
    wait "$step"
    sleep 15 > /dev/null & step=$!
    wait "$step"
  done
}
guard & GUARD=$!
)sh";

const char* const kRunBegins =
    R"sh(# A supervisor that is killed itself is started again, at most 3 times, and takes over the ranks that still run.
for again_at in 1 2 3 ''; do
  if [ -n "$NOTICE" ]; then
    say "the job is told to end, so the run is not started"
    rc=75
    break
  fi
)sh";

const char* const kRunEnds = R"sh(  SUP=$!
  [ -z "$NOTICE" ] || kill -"$NOTICE" "$SUP" 2> /dev/null  # it came before SUP was known
  while :; do
    wait "$SUP"; rc=$?  # wait returns above 128 after each trap
    [ "$rc" -gt 128 ] || break
    kill -0 "$SUP" 2> /dev/null && continue
    wait "$SUP"; r2=$?; [ "$r2" -eq 127 ] || rc=$r2
    break
  done
  SUP=''
  [ "$rc" -gt 128 ] && [ -n "$again_at" ] || break
  say "the supervisor was killed ($rc): starts it again, $again_at of 3"
done
[ -z "$GUARD" ] || kill "$GUARD" 2> /dev/null
say "the run ended with $rc"
)sh";

const char* const kUnstage =
    R"sh([ "$rc" = 75 ] || [ "$rc" = 76 ] || timeout 60 srun "${once_per_node[@]}" rm -rf -- "$LOCAL"
)sh";

const char* const kSummary = R"sh(
printf '%-6s %-6s %-10s %s\n' row ended loss settings
row=0
while IFS= read -r settings; do
  dir=$BASE/row-$row
  ended=$(sed -n 's/.*"code": *\([0-9]*\).*/\1/p' "$dir/exit.json" 2> /dev/null)
  loss=$(tail -n 1 "$dir/metrics.jsonl" 2> /dev/null | sed -n 's/.*"loss": *\([^,}]*\).*/\1/p')
  [ ! -f "$dir/DONE" ] || ended=done
  printf '%-6s %-6s %-10.8s %s\n' "$row" "${ended:--}" "${loss:--}" "$settings"
  row=$((row + 1))
done < "$BASE/sweep.jsonl"
echo "$row rows of $ROWS; ended: done, or the exit code of the last start"
)sh";

namespace {

// Run once per node: where to, then the files. A copy that has the size and time of its file is taken as it is: after
// a requeue the job may be on the same node. Nobody else may read the copies, or have made their folder.
constexpr const char* kCopy = R"sh(
umask 077
to=$1 i=0; shift
mkdir -p "$to" && [ -O "$to" ] || { echo "$to: cannot be made, or belongs to somebody else" >&2; exit 1; }
for from; do
  copy=$to/$i/${from##*/}
  if [ "$(stat -Lc "%s %Y" "$from")" != "$(stat -c "%s %Y" "$copy" 2> /dev/null)" ]; then
    mkdir -p "$to/$i" && cp --preserve=timestamps "$from" "$copy.part" && mv "$copy.part" "$copy" || exit 1
  fi
  i=$((i + 1))
done)sh";

constexpr const char* kOncePerNode =
    R"sh(once_per_node=(--nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --overlap --mpi=none)
)sh";

constexpr const char* kCopied = R"sh(  say "data.files were copied to $LOCAL on each node"
  json=${LOCAL//\\/\\\\} json=${json//\"/\\\"}  # the list is YAML
)sh";

constexpr const char* kNotCopied = R"sh(else
  say "data.files could not be copied to $LOCAL; the run reads them where they are"
fi

)sh";

// $NAME/rest and ${NAME}/rest are looked up in the job, all else is taken as it stands.
std::string local_folder(const std::string& folder) {
  const bool braced = folder.starts_with("${");
  std::size_t end = braced ? 2 : 1;
  while (end < folder.size() &&
         (std::isalnum(static_cast<unsigned char>(folder[end])) != 0 || folder[end] == '_'))
    ++end;
  const std::string name = folder.substr(braced ? 2 : 1, end - (braced ? 2 : 1));
  if (folder[0] != '$' || name.empty() || (braced && (end == folder.size() || folder[end] != '}')))
    return bash_quote(folder);
  const std::string rest = folder.substr(end + (braced ? 1 : 0));
  return cat("\"${", name, ":?slurm.staging: this job has no such variable}\"",
             rest.empty() ? "" : bash_quote(rest));
}

}  // namespace

std::string staging(const std::string& folder, const std::vector<std::string>& files) {
  std::string from, copies;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = nlohmann::json(files[i].substr(files[i].rfind('/') + 1)).dump();
    from += cat(" \\\n  ", bash_quote(files[i]));
    copies +=
        cat(bash_quote(i == 0 ? "[\"" : ",\""), "\"$json\"", bash_quote(cat('/', i, '/', name.substr(1))));
  }
  return cat("# data.files, copied to each node once; nothing is lost but speed where that fails.\nLOCAL=",
             local_folder(folder), "/entrain-$ID\n", kOncePerNode,
             "if srun \"${once_per_node[@]}\" bash -c '", kCopy, "' stage \"$LOCAL\"", from, "; then\n",
             kCopied, "  WORDS+=(data.files=", copies, "']')\n", kNotCopied);
}

}  // namespace entrain::slurm
