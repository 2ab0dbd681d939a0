# shellcheck shell=bash
# What deploy/up, tests/run and .ci/run do before anything of ours can run: check the machine, install packages, fetch the
# Kafka broker, build. Sourced; wants `root` (the clone). Nothing here needs Python. Every step is quick when there is nothing
# to do, and goes on where an interrupted one stopped.

disk_kib_min=$((2 * 1024 * 1024))
memory_kib_min=$((1024 * 1024))
tries_max=3
python=/usr/bin/python3 # Debian's, whatever else is in PATH
build_dir=${AMENDS_BUILD:-$root/build/dev}
cmake_options=()
log_dir=$root/build/logs
cluster_drop_in=/etc/postgresql-common/createcluster.d/amends.conf
step_pid=

if [[ -t 1 && ${TERM:-dumb} != dumb ]]; then is_terminal=1; else is_terminal=; fi

say() { printf '%s\n' "$*"; }
complain() { printf 'error: %s\n' "$*" >&2; }
refuse() {
	complain "$@"
	exit 1
}

# interrupted: no step may go on after Ctrl-C; a step runs in a session of its own, so its whole group is ended.
interrupted() {
	trap - INT TERM
	if [[ -n $step_pid ]]; then
		kill -TERM -- "-$step_pid" 2>/dev/null || kill -TERM "$step_pid" 2>/dev/null || true
		wait "$step_pid" 2>/dev/null || true
	fi
	printf '\n' >&2
	complain "interrupted; run the same command again to go on"
	exit 130
}
trap interrupted INT TERM

# step TEXT LOG SECONDS COMMAND…: runs it with its output in LOG, shows elapsed time, bounded by SECONDS.
step() {
	local text=$1 log=$2 limit=$3 began=$SECONDS code=0 last=0
	shift 3
	mkdir -p "$(dirname "$log")"
	setsid timeout "$limit" "$@" >"$log" 2>&1 </dev/null &
	step_pid=$!
	while kill -0 "$step_pid" 2>/dev/null; do
		if [[ $is_terminal ]]; then
			printf '\r\033[K  … %s, %d s (log %s)' "$text" $((SECONDS - began)) "$log"
		elif ((SECONDS - began >= last + 15)); then
			last=$((SECONDS - began))
			say "  … $text, $last s (log $log)"
		fi
		sleep 0.3
	done
	wait "$step_pid" || code=$?
	step_pid=
	[[ $is_terminal ]] && printf '\r\033[K'
	if ((code == 0)); then
		say "  done  $text, $((SECONDS - began)) s"
	elif ((code == 124)); then
		say "  $text: not done after $limit s, ended (log $log)"
	fi
	return "$code"
}

# retried SOURCE TEXT LOG SECONDS COMMAND…: a step that fetches; a few tries, then the name of what cannot be reached.
retried() {
	local source=$1 try pause=3
	shift
	for ((try = 1; try <= tries_max; try++)); do
		step "$@" && return 0
		if ((try < tries_max)); then
			say "  $1 failed (try $try of $tries_max), once more in $pause s"
			sleep "$pause"
			pause=$((pause * 3))
		fi
	done
	tail -n 12 "$2" | sed 's/^/    /' >&2
	complain "$1 failed $tries_max times; is $source reachable? Log: $2. Run the same command again to go on."
	return 1
}

check_system() {
	check_debian
	local folder free available
	for folder in "$root" /var/tmp; do
		free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
		((free >= disk_kib_min)) || refuse "$folder has $((free / 1024)) MiB free, 2048 are needed"
	done
	available=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
	((available >= memory_kib_min)) || refuse "$((available / 1024)) MiB of memory are available, 1024 are needed"
	mkdir -p "$root/build" 2>/dev/null || true
	[[ -w $root/build ]] || refuse "$root/build cannot be written by $(id -un)"
	if [[ -e $build_dir && ! -O $build_dir ]]; then
		refuse "$build_dir belongs to $(stat -c %U "$build_dir"): run as that user, or delete it"
	fi
}

check_debian() {
	local name codename
	[[ -r /etc/os-release ]] || refuse "this is no Debian 12 (there is no /etc/os-release)"
	# shellcheck disable=SC1091
	name=$(. /etc/os-release && printf '%s' "${PRETTY_NAME:-$ID}")
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && printf '%s' "${DEBIAN_CODENAME:-${VERSION_CODENAME:-}}")
	[[ $codename == bookworm ]] || [[ $(cat /etc/debian_version 2>/dev/null) == 12.* ]] ||
		refuse "this is $name; Amends is built for Debian 12 (bookworm) and its derivatives"
	command -v apt-get >/dev/null || refuse "this is $name, but apt-get is missing"
}

# packages_of SECTION…: the names listed in deploy/packages.txt.
packages_of() {
	local section
	for section in "$@"; do
		awk -v section="[$section]" '/^\[/ { here = ($1 == section); next } here && $1 != "" && $1 !~ /^#/ { print $1 }' \
			"$root/deploy/packages.txt"
	done
}

missing_packages() {
	local installed
	# One question for all; dpkg-query fails when it does not know one of them. The second letter i: installed.
	# shellcheck disable=SC2016
	installed=$(packages_of "$@" | xargs dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' 2>/dev/null |
		awk '$1 ~ /^.i/ { print $2 }' || true)
	packages_of "$@" | grep -vxF -e "${installed:-none}" || true
}

# install_packages SECTION…: all present means no prompt and no change at all.
install_packages() {
	local missing sudo=() line
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]})) || return 0
	line="apt-get install -y --no-install-recommends ${missing[*]}"
	if ((EUID != 0)); then
		sudo=(sudo)
		if ! command -v sudo >/dev/null || { [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; }; then
			say "Missing packages, which root has to install:"
			needs_drop_in "${missing[@]}" &&
				say "  echo 'create_main_cluster = false' | install -D -m 644 /dev/stdin $cluster_drop_in"
			say "  $line"
			exit 2
		fi
	fi
	say "Installing ${#missing[@]} Debian packages: ${sudo[0]:+sudo }$line"
	# In the foreground: sudo may ask for the password.
	((${#sudo[@]})) && sudo -v
	keep_main_cluster_away "${missing[@]}"
	mkdir -p "$log_dir"
	apt_step "reading Debian's package lists" apt-get -q update
	if [[ -n $("${sudo[@]}" dpkg --audit) ]]; then
		"${sudo[@]}" dpkg --configure -a >>"$log_dir/apt.log" 2>&1 || true
	fi
	# shellcheck disable=SC2086
	apt_step "installing packages" env DEBIAN_FRONTEND=noninteractive $line
}

# apt_step TEXT COMMAND…: stays in our session, where sudo's password counts; dpkg is not ended in the middle.
apt_step() {
	local text=$1 try pause=3 began log=$log_dir/apt.log
	shift
	for ((try = 1; try <= tries_max; try++)); do
		began=$SECONDS
		say "  … $text (log $log)"
		if "${sudo[@]}" timeout 1200 "$@" -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=120 \
			>>"$log" 2>&1 </dev/null; then
			say "  done  $text, $((SECONDS - began)) s"
			return 0
		fi
		((try < tries_max)) && say "  $text failed (try $try of $tries_max), once more in $pause s" && sleep "$pause"
		pause=$((pause * 3))
	done
	tail -n 12 "$log" | sed 's/^/    /' >&2
	refuse "$text failed $tries_max times; are Debian's package mirrors (apt) reachable? Log: $log. Run the same command again to go on."
}

needs_drop_in() { [[ " $* " == *" postgresql-15 "* && ! -e $cluster_drop_in ]]; }

# Debian's server package makes a cluster "main" and starts it, unless told not to before.
keep_main_cluster_away() {
	needs_drop_in "$@" || return 0
	say "  $cluster_drop_in: no cluster \"main\" when postgresql-15 is installed"
	printf '# Made by Amends: it runs a Postgres of its own.\ncreate_main_cluster = false\n' |
		"${sudo[@]}" install -D -m 644 /dev/stdin "$cluster_drop_in"
	local config=/etc/postgresql-common/createcluster.conf
	if [[ -e $config ]] && ! grep -q '^include_dir.*createcluster\.d' "$config" &&
		! grep -Eq '^create_main_cluster *= *(false|off|no)' "$config"; then
		refuse "$config does not include createcluster.d: set create_main_cluster = false there, then run the same command again"
	fi
}

# Two commands in one clone at once do not build over each other.
lock_build() {
	mkdir -p "$root/build"
	exec {build_lock}>"$root/build/.lock"
	if ! flock -n "$build_lock"; then
		say "  waiting for another deploy/up or tests/run that builds in this clone"
		flock -w 1200 "$build_lock" || refuse "another build in this clone did not end within 1200 s"
	fi
}
unlock_build() { exec {build_lock}>&-; }

# The broker and its jars, by Maven; complete or not there at all.
fetch_broker() {
	local libs=$build_dir/kafka/libs pom=$root/deploy/kafka/pom.xml
	if cmp -s "$pom" "$libs/pom.xml"; then
		return 0
	fi
	rm -rf "$libs.new"
	mkdir -p "$libs.new"
	retried "Maven Central (for org.apache.kafka:kafka_2.13 and what it needs)" "fetching the Kafka broker" \
		"$log_dir/maven.log" 600 mvn -B -ntp -f "$pom" dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$libs.new"
	cp "$pom" "$libs.new/pom.xml"
	rm -rf "$libs"
	mv "$libs.new" "$libs"
}

# build_programs TARGET…: "all" is everything, tests included.
build_programs() {
	# A build folder that came with a copied or moved clone knows only its old place.
	if [[ -e $build_dir/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build_dir/CMakeCache.txt"; then
		rm -rf "$build_dir/CMakeCache.txt" "$build_dir/CMakeFiles"
	fi
	step "configuring the build" "$log_dir/cmake.log" 300 \
		cmake -S "$root" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "${cmake_options[@]}" ||
		failed "$log_dir/cmake.log" "cmake"
	step "building" "$log_dir/build.log" 3600 ninja -C "$build_dir" "$@" || failed "$log_dir/build.log" "the build"
}

failed() {
	tail -n 25 "$1" | sed 's/^/    /' >&2
	refuse "$2 failed; log: $1"
}

stack() { PYTHONPATH=$root/deploy "$python" -m stack "$@"; }
