# Shows agents the telephone numbers of customers; without it RT shows them only to who has the right AdminUsers. Put it into
# /usr/local/share/request-tracker5/lib/RT/User_Local.pm (Debian; elsewhere local/lib/RT below RT's folder) and restart RT.
package RT::User;
use strict;
use warnings;
no warnings 'redefine';

my $accessible = \&_OverlayAccessible;
*_OverlayAccessible = sub {
    my $fields = $accessible->(@_);
    $fields->{$_}{public} = 1 for qw(WorkPhone MobilePhone HomePhone PagerPhone);
    return $fields;
};

1;
