package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// prepareFolder makes the data folder, readable for its owner alone.
func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("can't make the data folder %s: %w", printable(dir), bare(err))
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("the data folder %s is not a folder", printable(dir))
	}
	return nil
}

// folderLock says that a process serves the folder.
type folderLock struct{ f *os.File }

// errServed says that another process has the folder.
var errServed = errors.New("is served by")

// lockFolder locks the folder for as long as the process lives. The kernel
// drops the lock with the process, so none is ever left over.
func lockFolder(dir string) (*folderLock, error) {
	path := filepath.Join(dir, "rollcall.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("can't write to the data folder %s as user %d: %w", printable(dir), os.Geteuid(), bare(err))
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := f.Read(holder)
		_ = f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("can't lock %s: %w", printable(path), err)
		}
		who := "another rollcall"
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder[:n]))); err == nil {
			who += " (process " + strconv.Itoa(pid) + ")"
		}
		return nil, fmt.Errorf("the data folder %s %w %s: two can't share one", printable(dir), errServed, who)
	}
	// For the message above only; the lock itself is not in the content.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return &folderLock{f}, nil
}

func (l *folderLock) release() { _ = l.f.Close() }

// dropPrivileges makes the folder the property of an unprivileged user and
// becomes that user, if the process is root and was told to. Containers are
// started as root with a volume that is root's; nothing of what follows needs
// to be. It must come before any request is answered and before the database
// is opened.
func dropPrivileges(dir string, to *Owner, log *slog.Logger) error {
	switch {
	case os.Geteuid() != 0:
		return nil
	case to == nil:
		log.Debug("running as root: ROLLCALL_RUN_AS=uid:gid makes it give that up")
		return nil
	}
	if dir != "" {
		if err := giveAway(dir, *to); err != nil {
			return fmt.Errorf("can't give the data folder %s to user %d: %w", printable(dir), to.UID, err)
		}
	}
	if err := syscall.Setgroups([]int{to.GID}); err != nil {
		return fmt.Errorf("can't become user %d: setgroups: %w", to.UID, err)
	}
	if err := syscall.Setgid(to.GID); err != nil {
		return fmt.Errorf("can't become user %d: setgid: %w", to.UID, err)
	}
	if err := syscall.Setuid(to.UID); err != nil {
		return fmt.Errorf("can't become user %d: setuid: %w", to.UID, err)
	}
	if syscall.Setuid(0) == nil {
		return fmt.Errorf("became user %d and could become root again", to.UID)
	}
	return nil
}

// giveAway changes the owner of the folder and all in it. It works through an
// os.Root and never follows a link: who could write to the folder before must
// not make us change the owner of anything outside.
func giveAway(dir string, to Owner) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && int(st.Uid) == to.UID && int(st.Gid) == to.GID {
			return nil
		}
		// A second name of the file may be outside.
		if ok && info.Mode().IsRegular() && st.Nlink > 1 {
			return fmt.Errorf("%s has more than one hard link", printable(path))
		}
		return root.Lchown(path, to.UID, to.GID)
	})
}
