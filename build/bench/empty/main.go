// Command empty does nothing: how long the system takes to start and end a Go program.
package main

func main() {}
