// A player of the shape that YouTube's have, as far as yt-dlp-ejs looks: one object, one function around everything, a
// table of operations for signatures, and one function that puts the signature into a link's parameters.
var _yt_player={};(function(g){
var window=this;
/* the player's configuration */ var cfg={signatureTimestamp:20515,experiments:{}};
var nothing=function(a){return a===void 0},
Op={Rv:function(a){a.reverse()},
Sp:function(a,b){a.splice(0,b)},
Sw:function(a,b){var c=a[0];a[0]=a[b%a.length];a[b%a.length]=c}};
var Sig=function(a){a=a.split("");Op.Sw(a,7);Op.Rv(a,31);Op.Sp(a,3);Op.Sw(a,19);Op.Rv(a,2);return a.join("")};
var Nth=function(a){var b=a.split(""),c=[function(d,e){for(e=(e%d.length+d.length)%d.length;e--;)d.unshift(d.pop())},
function(d){for(var e=0;e<d.length;e++){var f="abcdefghijklmnopqrstuvwxyz0123456789-_",h=f.indexOf(d[e]);h>=0&&(d[e]=f[(h+e)%f.length])}}];
try{c[0](b,5);c[1](b);c[0](b,-2)}catch(d){return"enhanced_except_"+a}return b.join("")};
var Link=function(a){this.url=a;this.params={};this.done=false};
Link.prototype.set=function(a,b){this.params[a]=b;return this};
Link.prototype.get=function(a){return this.params[a]};
Link.prototype.clone=function(){return new Link(this.url)};
Link.prototype.finish=function(){if(!this.done&&!nothing(this.params.n)){this.params.n=Nth(this.params.n);this.done=true}};
var Build=function(a,b,c){a=new Link(a);a.set("alr","yes");c&&(c=Sig(decodeURIComponent(c)),a.set(b,encodeURIComponent(c)));return a};
g.Build=Build;
})(_yt_player);
