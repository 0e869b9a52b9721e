package exchange

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"syscall"
)

// isAlive tells whether an idle connection has neither ended nor been given anything to read: a server says
// nothing that was not asked for, but good-bye.
func isAlive(conn net.Conn) bool {
	system, is := conn.(syscall.Conn)
	if !is {
		return false
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return false
	}
	isQuiet := false
	err = raw.Read(func(fd uintptr) bool {
		one := make([]byte, 1)
		_, _, err := syscall.Recvfrom(int(fd), one, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		isQuiet = err == syscall.EAGAIN
		return true
	})
	return err == nil && isQuiet
}

func rootsOf(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate in PEM form", path)
	}
	return roots, nil
}
