package customers

// AtMost makes a set of picks small, so that a test can fill it.
func (p *Picks) AtMost(n int) { p.most = n }
