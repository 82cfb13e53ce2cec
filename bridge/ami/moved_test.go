package ami_test

import (
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// What is here is constructed, as constructed_test.go: Asterisk moves a channel that talks into another bridge, and whom it talks with stays the same.

// A call over a Local channel that falls away goes on.
func TestACallWhoseLocalChannelFallsAwayGoesOn(t *testing.T) {
	p := players(t)
	script(p, `
	Newchannel c=PJSIP/1001-00000001 u=1.1 l=1.1 s=4 n=1001 x=013800138000
	Newchannel c=Local/x@out-00000001;1 u=1.2 l=1.1 s=0
	Newchannel c=Local/x@out-00000001;2 u=1.3 l=1.1 s=4
	DialBegin c=PJSIP/1001-00000001 u=1.1 l=1.1 s=4 dc=Local/x@out-00000001;1 du=1.2 dl=1.1 x=013800138000
	Newchannel c=PJSIP/trunk-00000002 u=1.4 l=1.1 s=0
	DialBegin c=Local/x@out-00000001;2 u=1.3 l=1.1 s=4 dc=PJSIP/trunk-00000002 du=1.4 dl=1.1
	+
	DialEnd c=Local/x@out-00000001;2 u=1.3 l=1.1 dc=PJSIP/trunk-00000002 du=1.4 dl=1.1 DialStatus=ANSWER
	BridgeEnter c=PJSIP/trunk-00000002 u=1.4 l=1.1 s=6 b=B2 n=013800138000
	BridgeEnter c=Local/x@out-00000001;2 u=1.3 l=1.1 s=6 b=B2
	DialEnd c=PJSIP/1001-00000001 u=1.1 l=1.1 dc=Local/x@out-00000001;1 du=1.2 dl=1.1 DialStatus=ANSWER
	BridgeEnter c=Local/x@out-00000001;1 u=1.2 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/1001-00000001 u=1.1 l=1.1 s=6 b=B1
	+
	BridgeLeave c=PJSIP/1001-00000001 u=1.1 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/1001-00000001 u=1.1 l=1.1 s=6 b=B2 SwapUniqueid=1.3
	BridgeLeave c=Local/x@out-00000001;2 u=1.3 l=1.1 b=B2
	BridgeLeave c=Local/x@out-00000001;1 u=1.2 l=1.1 b=B1
	Hangup c=Local/x@out-00000001;2 u=1.3 l=1.1 Cause=16
	Hangup c=Local/x@out-00000001;1 u=1.2 l=1.1 Cause=16
	++++++++++
	Hold c=PJSIP/1001-00000001 u=1.1 l=1.1
	++++++++++
	Unhold c=PJSIP/1001-00000001 u=1.1 l=1.1
	HangupRequest c=PJSIP/1001-00000001 u=1.1 l=1.1
	Hangup c=PJSIP/1001-00000001 u=1.1 l=1.1 Cause=16
	`)
	wantTypes(t, p, "1001", "originated established held retrieved cleared")
	wantEnd(t, onlyCall(t, p, "1001"), cti.EndAnswered, cti.CauseNormal, cti.ByLocal)
}

// Who is joined with somebody else in the other's bridge talks on.
func TestWhoIsJoinedInAnotherBridgeTalksOn(t *testing.T) {
	p := players(t)
	script(p, `
	Newchannel c=PJSIP/1001-00000001 u=1.1 l=1.1 s=4 n=1001 x=1002
	Newchannel c=PJSIP/1002-00000001 u=1.2 l=1.1 s=0 n=1002
	DialBegin c=PJSIP/1001-00000001 u=1.1 l=1.1 s=4 dc=PJSIP/1002-00000001 du=1.2 dl=1.1 x=1002
	Newstate c=PJSIP/1002-00000001 u=1.2 l=1.1 s=5
	DialEnd c=PJSIP/1001-00000001 u=1.1 l=1.1 dc=PJSIP/1002-00000001 du=1.2 dl=1.1 DialStatus=ANSWER
	BridgeEnter c=PJSIP/1002-00000001 u=1.2 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/1001-00000001 u=1.1 l=1.1 s=6 b=B1
	+
	Newchannel c=PJSIP/1001-00000002 u=1.3 l=1.3 s=4 n=1001 x=1003
	Newchannel c=PJSIP/1003-00000001 u=1.4 l=1.3 s=0 n=1003
	DialBegin c=PJSIP/1001-00000002 u=1.3 l=1.3 s=4 dc=PJSIP/1003-00000001 du=1.4 dl=1.3 x=1003
	Newstate c=PJSIP/1003-00000001 u=1.4 l=1.3 s=5
	DialEnd c=PJSIP/1001-00000002 u=1.3 l=1.3 dc=PJSIP/1003-00000001 du=1.4 dl=1.3 DialStatus=ANSWER
	BridgeEnter c=PJSIP/1003-00000001 u=1.4 l=1.3 s=6 b=B2
	BridgeEnter c=PJSIP/1001-00000002 u=1.3 l=1.3 s=6 b=B2
	+
	BridgeLeave c=PJSIP/1002-00000001 u=1.2 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/1002-00000001 u=1.2 l=1.1 s=6 b=B2 SwapUniqueid=1.3
	AttendedTransfer Result=Success OrigTransfererUniqueid=1.1 OrigTransfererChannel=PJSIP/1001-00000001 OrigTransfererLinkedid=1.1 SecondTransfererUniqueid=1.3 SecondTransfererChannel=PJSIP/1001-00000002 SecondTransfererLinkedid=1.3 TransfereeUniqueid=1.2 TransfereeChannel=PJSIP/1002-00000001 TransfereeLinkedid=1.1 TransferTargetUniqueid=1.4 TransferTargetChannel=PJSIP/1003-00000001 TransferTargetLinkedid=1.3 DestType=Bridge DestBridgeUniqueid=B2
	BridgeLeave c=PJSIP/1001-00000002 u=1.3 l=1.3 b=B2
	BridgeLeave c=PJSIP/1001-00000001 u=1.1 l=1.1 b=B1
	Hangup c=PJSIP/1001-00000002 u=1.3 l=1.3 Cause=16
	Hangup c=PJSIP/1001-00000001 u=1.1 l=1.1 Cause=16
	NewConnectedLine c=PJSIP/1002-00000001 u=1.2 l=1.1 s=6 ConnectedLineNum=1003
	++++++++++
	++++++++++
	HangupRequest c=PJSIP/1003-00000001 u=1.4 l=1.1
	Hangup c=PJSIP/1003-00000001 u=1.4 l=1.1 Cause=16
	Hangup c=PJSIP/1002-00000001 u=1.2 l=1.1 Cause=16
	`)
	c := onlyCall(t, p, "1002")
	wantEnd(t, c, cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
	if talked := c.ClearedAt.Sub(c.EstablishedAt); talked < 2*time.Second {
		t.Errorf("the call was told to be over after %v, while they talk", talked)
	}
	wantTypes(t, p, "1002", "delivered established transferred cleared")
	wantTypes(t, p, "1003", "delivered established transferred cleared")
}

// The colleague to whom a customer was given by feature code, with the Local channel between them gone, talks on.
func TestWhoWasGivenACustomerByCodeTalksOn(t *testing.T) {
	p := players(t)
	script(p, `
	Newchannel c=PJSIP/1001-00000001 u=1.1 l=1.1 s=4 n=1001 x=13900139000
	Newchannel c=PJSIP/trunk-00000002 u=1.2 l=1.1 s=0 n=13900139000
	DialBegin c=PJSIP/1001-00000001 u=1.1 l=1.1 s=4 dc=PJSIP/trunk-00000002 du=1.2 dl=1.1 x=13900139000
	DialEnd c=PJSIP/1001-00000001 u=1.1 l=1.1 dc=PJSIP/trunk-00000002 du=1.2 dl=1.1 DialStatus=ANSWER
	BridgeEnter c=PJSIP/trunk-00000002 u=1.2 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/1001-00000001 u=1.1 l=1.1 s=6 b=B1
	+
	Newchannel c=Local/1002@i-00000000;1 u=1.3 l=1.1
	Newchannel c=Local/1002@i-00000000;2 u=1.4 l=1.1
	BridgeEnter c=Local/1002@i-00000000;1 u=1.3 l=1.1 b=B2
	BridgeLeave c=PJSIP/1001-00000001 u=1.1 l=1.1 b=B1
	BridgeEnter c=PJSIP/1001-00000001 u=1.1 l=1.1 b=B2
	Newchannel c=PJSIP/1002-00000003 u=1.5 l=1.1 s=0 n=1002
	DialBegin c=Local/1002@i-00000000;2 u=1.4 l=1.1 dc=PJSIP/1002-00000003 du=1.5 dl=1.1
	Newstate c=PJSIP/1002-00000003 u=1.5 l=1.1 s=5
	DialEnd c=Local/1002@i-00000000;2 u=1.4 l=1.1 dc=PJSIP/1002-00000003 du=1.5 dl=1.1 DialStatus=ANSWER
	BridgeEnter c=PJSIP/1002-00000003 u=1.5 l=1.1 s=6 b=B3
	BridgeEnter c=Local/1002@i-00000000;2 u=1.4 l=1.1 b=B3
	+
	HangupRequest c=PJSIP/1001-00000001 u=1.1 l=1.1
	BridgeLeave c=PJSIP/1001-00000001 u=1.1 l=1.1 b=B2
	BridgeLeave c=Local/1002@i-00000000;1 u=1.3 l=1.1 b=B2
	BridgeEnter c=Local/1002@i-00000000;1 u=1.3 l=1.1 b=B1
	AttendedTransfer Result=Success OrigTransfererUniqueid=1.1 OrigTransfererChannel=PJSIP/1001-00000001 OrigTransfererLinkedid=1.1 SecondTransfererUniqueid=1.1 SecondTransfererChannel=PJSIP/1001-00000001 SecondTransfererLinkedid=1.1 TransfereeUniqueid=1.2 TransfereeChannel=PJSIP/trunk-00000002 TransfereeLinkedid=1.1 TransferTargetUniqueid=1.3 TransferTargetChannel=Local/1002@i-00000000;1 TransferTargetLinkedid=1.1 DestType=Bridge DestBridgeUniqueid=B1
	Hangup c=PJSIP/1001-00000001 u=1.1 l=1.1 Cause=16
	BridgeLeave c=PJSIP/1002-00000003 u=1.5 l=1.1 b=B3
	BridgeEnter c=PJSIP/1002-00000003 u=1.5 l=1.1 b=B1 SwapUniqueid=1.3
	BridgeLeave c=Local/1002@i-00000000;1 u=1.3 l=1.1 b=B1
	BridgeLeave c=Local/1002@i-00000000;2 u=1.4 l=1.1 b=B3
	Hangup c=Local/1002@i-00000000;1 u=1.3 l=1.1 Cause=16
	Hangup c=Local/1002@i-00000000;2 u=1.4 l=1.1 Cause=16
	++++++++++
	Hold c=PJSIP/1002-00000003 u=1.5 l=1.1
	++++++++++
	HangupRequest c=PJSIP/trunk-00000002 u=1.2 l=1.1
	Hangup c=PJSIP/trunk-00000002 u=1.2 l=1.1 Cause=16
	Hangup c=PJSIP/1002-00000003 u=1.5 l=1.1 Cause=16
	`)
	wantTypes(t, p, "1002", "delivered established transferred held cleared")
	wantEnd(t, onlyCall(t, p, "1002"), cti.EndAnswered, cti.CauseNormal, cti.ByRemote)
}

// The phone of who is given a withheld customer shows the number before the transfer is told.
func TestAWithheldCustomerStaysSoWhenGivenOn(t *testing.T) {
	p := players(t)
	script(p, `
	Newchannel c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=4 n=13800138000 x=600
	NewCallerid c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=4 n=13800138000 CID-CallingPres=32_(Prohibited)
	Newchannel c=PJSIP/1001-00000001 u=1.2 l=1.1 s=0 n=1001
	DialBegin c=PJSIP/trunk-00000001 u=1.1 l=1.1 n=13800138000 dc=PJSIP/1001-00000001 du=1.2 dl=1.1 x=1001
	Newstate c=PJSIP/1001-00000001 u=1.2 l=1.1 s=5
	DialEnd c=PJSIP/trunk-00000001 u=1.1 l=1.1 dc=PJSIP/1001-00000001 du=1.2 dl=1.1 DialStatus=ANSWER
	BridgeEnter c=PJSIP/1001-00000001 u=1.2 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6 b=B1
	+
	Newchannel c=PJSIP/1001-00000002 u=1.3 l=1.3 s=4 n=1001 x=1003
	Newchannel c=PJSIP/1003-00000001 u=1.4 l=1.3 s=0 n=1003
	DialBegin c=PJSIP/1001-00000002 u=1.3 l=1.3 s=4 n=1001 dc=PJSIP/1003-00000001 du=1.4 dl=1.3 x=1003
	Newstate c=PJSIP/1003-00000001 u=1.4 l=1.3 s=5
	DialEnd c=PJSIP/1001-00000002 u=1.3 l=1.3 dc=PJSIP/1003-00000001 du=1.4 dl=1.3 DialStatus=ANSWER
	BridgeEnter c=PJSIP/1003-00000001 u=1.4 l=1.3 s=6 b=B2
	BridgeEnter c=PJSIP/1001-00000002 u=1.3 l=1.3 s=6 b=B2
	+
	BridgeLeave c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6 b=B1
	BridgeEnter c=PJSIP/trunk-00000001 u=1.1 l=1.1 s=6 b=B2 SwapUniqueid=1.3
	NewConnectedLine c=PJSIP/1003-00000001 u=1.4 l=1.1 s=6 ConnectedLineNum=13800138000
	AttendedTransfer Result=Success OrigTransfererUniqueid=1.2 OrigTransfererChannel=PJSIP/1001-00000001 OrigTransfererLinkedid=1.1 SecondTransfererUniqueid=1.3 SecondTransfererChannel=PJSIP/1001-00000002 SecondTransfererLinkedid=1.3 TransfereeUniqueid=1.1 TransfereeChannel=PJSIP/trunk-00000001 TransfereeLinkedid=1.1 TransferTargetUniqueid=1.4 TransferTargetChannel=PJSIP/1003-00000001 TransferTargetLinkedid=1.1 DestType=Bridge DestBridgeUniqueid=B2
	`)
	for _, extension := range []string{"1001", "1003"} {
		for _, e := range p.Events[extension] {
			if e.Remote.Raw == "13800138000" {
				t.Errorf("%s is told %s of %+v", extension, e.Type, e.Remote)
			}
		}
	}
}
