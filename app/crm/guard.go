package crm

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// The limits of one expression: what a mapping needs, and nothing that lets a file eat the workstation.
const (
	maxSource = 2 << 10 // bytes
	maxNodes  = 500
	maxNested = 2 // predicates, as in filter(a, any(b, …))
)

// forbidden builtins grow without bound, or make a retry differ from the first attempt.
var forbidden = []string{"reduce", "repeat", "now"}

// violation is a forbidden thing in an expression, and where in its source.
type violation struct {
	from     int
	what, do Words
}

// guard refuses an expression that could run away: it looks at the tree, before anything is compiled.
// A pattern must be constant so that the cost of a match is known; a variable would let a text be doubled again and again.
func guard(root ast.Node) *violation {
	g := &guardian{}
	ast.Walk(&root, g)
	if g.broken == nil && nested(root) > maxNested {
		g.refuse(root, words("predicates are nested more than %d deep", "谓词嵌套超过 %d 层", maxNested),
			words("Do the inner part in a step of its own.", "请把内层放到单独的步骤。"))
	}
	return g.broken
}

type guardian struct{ broken *violation }

// Visit implements ast.Visitor.
func (g *guardian) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		g.binary(n)
	case *ast.VariableDeclaratorNode:
		g.refuse(n, words("let is not allowed in an expression", "表达式中不允许使用 let"),
			words("Write the value where it is used, or save it in a step.", "请直接写出该值，或在步骤中用 save 保存。"))
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			g.refuse(n, words("$env is not allowed in an expression", "表达式中不允许使用 $env"),
				words("Name the value itself.", "请直接写出该值的名称。"))
		}
		g.name(n, n.Value)
	case *ast.BuiltinNode:
		g.name(n, n.Name)
	}
}

func (g *guardian) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		g.refuse(n, words("ranges (..) are not allowed in an expression", "表达式中不允许使用区间 (..)"),
			words("List the values.", "请逐一列出各值。"))
	case "matches":
		if _, constant := n.Right.(*ast.StringNode); !constant {
			g.refuse(n, words("matches needs a constant pattern", "matches 只能使用常量模式"),
				words("Write the pattern as text in quotes, or use contains.", "请把模式写成带引号的文本，或改用 contains。"))
		}
	}
}

func (g *guardian) name(n ast.Node, name string) {
	if slices.Contains(forbidden, name) {
		g.refuse(n, words("%s() is not allowed in an expression", "表达式中不允许使用 %s()", name),
			words("Do without it: map, filter, sum and join are there.", "请不要使用它：可用 map、filter、sum、join。"))
	}
}

func (g *guardian) refuse(n ast.Node, what, do Words) {
	if g.broken == nil {
		g.broken = &violation{from: n.Location().From, what: what, do: do}
	}
}

// nested counts how deep predicates lie in each other.
func nested(root ast.Node) int {
	deepest := 0
	finder := ast.Visitor(visit(func(node *ast.Node) {
		if p, ok := (*node).(*ast.PredicateNode); ok {
			deepest = max(deepest, 1+nested(p.Node))
		}
	}))
	ast.Walk(&root, finder)
	return deepest
}

type visit func(*ast.Node)

// Visit implements ast.Visitor.
func (f visit) Visit(node *ast.Node) { f(node) }

// goesRaw tells which values a URL takes as they are: parameters, which the site chose, and what urlquery escaped already.
// Everything else came from a caller or a CRM and is escaped.
func goesRaw(root ast.Node) bool {
	switch n := root.(type) {
	case *ast.MemberNode:
		return goesRaw(n.Node)
	case *ast.IdentifierNode:
		return n.Value == "param"
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		return ok && callee.Value == "urlquery"
	}
	return false
}
