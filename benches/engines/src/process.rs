//! One process: start it, wait for it, and say what it cost.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

#[derive(Clone, Copy)]
pub struct Sample {
    /// Milliseconds of user and system time.
    pub cpu: f64,
    /// Milliseconds from before the start to after the end.
    pub wall: f64,
    /// Most resident memory, in megabytes.
    pub memory: f64,
}

/// What to run, and where.
#[derive(Clone)]
pub struct Call {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub folder: PathBuf,
    pub input: Option<PathBuf>,
    pub index: bool,
}

impl Call {
    pub fn new(program: &Path, folder: &Path, arguments: &[&str]) -> Call {
        Call {
            program: program.to_owned(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            folder: folder.to_owned(),
            input: None,
            index: true,
        }
    }

    pub fn with_input(mut self, input: &Path) -> Call {
        self.input = Some(input.to_owned());
        self
    }

    pub fn without_index(mut self) -> Call {
        self.index = false;
        self
    }

    fn command(&self, program: &Path, before: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(before)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("USER", "dev")
            .env("HOME", &self.folder)
            .env("SELF_LEARNING_NOW", "2026-03-02T09:00:00Z")
            .env("SELF_LEARNING_GLOBAL_DIR", self.folder.join("global"))
            .stdin(match &self.input {
                Some(path) => Stdio::from(File::open(path).expect("the input")),
                None => Stdio::null(),
            })
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !self.index {
            command.env("SELF_LEARNING_INDEX", "off");
        }
        command
    }

    /// Run it and measure. A failure ends the whole measurement: its cost would mean nothing.
    #[expect(
        clippy::zombie_processes,
        reason = "wait4 waits for it, and tells its cost"
    )]
    pub fn measure(&self) -> Sample {
        let mut command = self.command(&self.program, &[]);
        let start = Instant::now();
        let child = command.spawn().expect("the command starts");
        let mut status = 0;
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        let pid = i32::try_from(child.id()).expect("a process id");
        // SAFETY: both pointers are valid for writes, and the child is ours and not yet waited for.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        let wall = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(waited, pid, "the child was waited for");
        let status = ExitStatus::from_raw(status);
        assert!(status.success(), "{}: {status}", self.line());
        // SAFETY: zeroed is a valid rusage, and wait4 filled it in.
        let usage = unsafe { usage.assume_init() };
        Sample {
            cpu: milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime),
            wall,
            memory: usage.ru_maxrss as f64 / 1024.0,
        }
    }

    /// Run it and read what it prints.
    pub fn output(&self) -> String {
        let output = self
            .command(&self.program, &[])
            .stdout(Stdio::piped())
            .output()
            .expect("the command starts");
        assert!(
            output.status.success(),
            "{}: {}",
            self.line(),
            output.status
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Instructions of the whole process, counted by valgrind, in millions.
    pub fn instructions(&self) -> Option<f64> {
        let before = [
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            self.program.to_str()?,
        ];
        let output = self
            .command(Path::new("valgrind"), &before)
            .stderr(Stdio::piped())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, rest) = text.split_once("Collected : ")?;
        let count: f64 = rest.split_whitespace().next()?.parse().ok()?;
        output.status.success().then_some(count / 1e6)
    }

    fn line(&self) -> String {
        format!("{} {}", self.program.display(), self.arguments.join(" "))
    }
}

fn milliseconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3
}

/// All files below a folder, or the file itself.
pub fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.flat_map(|entry| files(&entry.path())).collect()
}

pub fn bytes(place: &Path) -> u64 {
    let lengths = files(place).into_iter();
    lengths
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum()
}

/// Write what is dirty below a folder to the disk, so that its pages can be dropped.
pub fn settle(place: &Path) {
    for path in files(place) {
        File::open(&path)
            .and_then(|file| file.sync_all())
            .expect("a file that can be synced");
    }
}

/// Ask the kernel to forget the pages of the files; gives the share of them that stayed in memory.
pub fn chill(place: &Path) -> f64 {
    let (mut stayed, mut all) = (0, 0);
    for path in files(place) {
        let file = File::open(&path).expect("a file");
        let length = file.metadata().expect("a file").len() as usize;
        if length == 0 {
            continue;
        }
        // SAFETY: the descriptor is open, and the call reads no memory of ours.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        let mut pages = vec![0_u8; length.div_ceil(4096)];
        // SAFETY: a fresh mapping of the whole file, which is never read; `pages` has a byte for each page.
        unsafe {
            let start = libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            );
            if start == libc::MAP_FAILED {
                continue;
            }
            libc::mincore(start, length, pages.as_mut_ptr());
            libc::munmap(start, length);
        }
        stayed += pages.iter().filter(|page| **page & 1 == 1).count();
        all += pages.len();
    }
    stayed as f64 / f64::from(u32::try_from(all.max(1)).expect("a number of pages"))
}
